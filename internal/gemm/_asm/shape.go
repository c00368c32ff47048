package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A shape is a row of the dispatch table: what the routines of one
// instruction set and element type are generated from.
type shape struct {
	isa    string // suffix of the routines' names
	size   int    // of an element, in bytes
	vector int    // of a vector register, in bytes
	mr, nr int
	groups []int // lanes that are transposed together

	turnSteps int // in one turn of the micro-kernels' main loops
}

var isas = map[string][]shape{
	"avx512": {
		{isa: "AVX512", size: 8, vector: 64, mr: 8, nr: 24, groups: []int{8}, turnSteps: 4},
		{isa: "AVX512", size: 4, vector: 64, mr: 8, nr: 48, groups: []int{8, 16}, turnSteps: 4},
	},
	"avx2": {
		{isa: "AVX2", size: 8, vector: 32, mr: 6, nr: 8, groups: []int{4}, turnSteps: 8},
		{isa: "AVX2", size: 4, vector: 32, mr: 6, nr: 16, groups: []int{4}, turnSteps: 8},
	},
}

func (s shape) lanes() int { return s.vector / s.size }

func (s shape) typ() string { return fmt.Sprintf("float%d", 8*s.size) }

// name returns a routine's name, such as micro64AVX512x24.
func (s shape) name(what string) string { return fmt.Sprintf("%s%d%s", what, 8*s.size, s.isa) }

// register returns a vector register of so many bytes.
func register(bytes int) VecVirtual {
	switch bytes {
	case 64:
		return ZMM()
	case 32:
		return YMM()
	}
	return XMM()
}

func registers(n, bytes int) []VecVirtual {
	rs := make([]VecVirtual, n)
	for i := range rs {
		rs[i] = register(bytes)
	}
	return rs
}

// of picks the double or the single precision form of an instruction.
func (s shape) of(pd, ps func(...Op)) func(...Op) {
	if s.size == 8 {
		return pd
	}
	return ps
}

func (s shape) mov() func(...Op) { return s.of(VMOVUPD, VMOVUPS) }
func (s shape) mul() func(...Op) { return s.of(VMULPD, VMULPS) }
func (s shape) add() func(...Op) { return s.of(VADDPD, VADDPS) }
func (s shape) and() func(...Op) { return s.of(VANDPD, VANDPS) }
func (s shape) xor() func(...Op) { return s.of(VXORPD, VXORPS) }
func (s shape) fma() func(...Op) { return s.of(VFMADD231PD, VFMADD231PS) }

func (s shape) broadcast(from Op, to VecVirtual) {
	if to.Size() == 16 && s.size == 8 {
		VMOVDDUP(from, to)
		return
	}
	s.of(VBROADCASTSD, VBROADCASTSS)(from, to)
}

// base loads the pointer of a slice parameter.
func base(param string) GPVirtual {
	return Load(Param(param).Base(), GP64()).(GPVirtual)
}

// bytes loads a count of elements as a count of bytes.
func (s shape) bytes(param string) GPVirtual {
	n := Load(Param(param), GP64()).(GPVirtual)
	SHLQ(Imm(uint64(map[int]int{8: 3, 4: 2}[s.size])), n)
	return n
}
