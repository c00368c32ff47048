//go:build !linux

package matmul

// serveIfWorker does nothing: there are no worker processes here.
func serveIfWorker() {}
