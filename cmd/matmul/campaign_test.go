//go:build campaign

package main

// campaign says that the long forms of the tests run.
const campaign = true
