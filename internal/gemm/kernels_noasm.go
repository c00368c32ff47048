//go:build !amd64 || purego

package gemm

func machineHas(ISA) bool { return false }

func assemblyKernels() []Kernel { return nil }
