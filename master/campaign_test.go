//go:build campaign

package master_test

// campaign says that the long forms of the tests run.
const campaign = true
