//go:build !linux

package sys

// AskHuge does nothing here.
func AskHuge([]byte) {}
