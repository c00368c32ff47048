package gemm

import (
	"errors"
	"fmt"
	"strings"
)

// ISA is an instruction set that kernels are written for.
type ISA uint8

// The instruction sets, from Auto, which stands for the best that the machine
// has, to the widest.
const (
	Auto ISA = iota
	Generic
	AVX2
	AVX512
)

var isaNames = [...]string{Auto: "auto", Generic: "generic", AVX2: "avx2", AVX512: "avx512"}

// String returns the name that [ParseISA] reads.
func (i ISA) String() string {
	if int(i) < len(isaNames) {
		return isaNames[i]
	}
	return fmt.Sprintf("gemm.ISA(%d)", uint8(i))
}

// ParseISA returns the instruction set that name spells: auto, generic, avx2
// or avx512. That the machine has it is for [Lookup] to say.
func ParseISA(name string) (ISA, error) {
	for i, s := range isaNames {
		if s == name {
			return ISA(i), nil
		}
	}
	return Auto, fmt.Errorf("unknown instruction set %q: want %s", name, strings.Join(isaNames[:], ", "))
}

// ErrISA is returned by [Lookup] when the machine, its operating system or
// this build lacks the instruction set asked for.
var ErrISA = errors.New("instruction set not available")

// Supported returns the instruction sets that have kernels in this build and
// run on this machine under this operating system, best last. Generic is
// always among them.
func Supported() []ISA {
	s := []ISA{Generic}
	for _, i := range []ISA{AVX2, AVX512} {
		if machineHas(i) {
			s = append(s, i)
		}
	}
	return s
}
