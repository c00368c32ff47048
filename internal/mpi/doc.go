//go:build mpi

// Package mpi is the part of MPI that a product on several machines needs, as
// thin as it can be: ranks, communicators, broadcasts, messages, and a file
// that all ranks write together. It is built with the tag mpi alone, by cgo,
// against the mpi.h of the site, and is the only package that uses cgo:
//
//	CC=mpicc go build -tags mpi ./cmd/matmul
//
// Contract: [Init] locks the calling goroutine to its thread, and every other
// call is made by that goroutine (MPI_THREAD_FUNNELED). Memory that is handed
// to a call which returns a [Request] must lie outside Go's heap and stay as it
// is until the request is done. Calls that are collective say so: all ranks of
// the communicator make them, in the same order. An error of MPI is returned
// wherever the library survives it; what is written to other ranks is then
// unspecified, and [Abort] is the only way on.
//
// The standard is MPI 3.1, https://www.mpi-forum.org/docs/. Counts are int
// there: lengths above that travel as derived types.
package mpi
