//go:build !mpi

package main

import "github.com/spf13/cobra"

// onRanks does a product together with the other ranks of an MPI job, and
// reports whether there is one. This build has no MPI.
func (f *runFlags) onRanks(*cobra.Command, []string) (did bool, err error) { return false, nil }

// onRanks measures the network between the ranks of an MPI job, and reports
// whether there is one.
func (f *benchFlags) onRanks(*cobra.Command) (did bool, err error) { return false, nil }
