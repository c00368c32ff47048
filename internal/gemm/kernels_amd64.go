//go:build !purego

package gemm

import (
	"github.com/klauspost/cpuid/v2"

	"matmul/internal/elem"
)

// needs are the features that the kernels of an instruction set use. cpuid
// reports those of the vector units only if the operating system saves their
// registers.
var needs = map[ISA][]cpuid.FeatureID{
	AVX2:   {cpuid.AVX2, cpuid.FMA3},
	AVX512: {cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512VL},
}

func machineHas(i ISA) bool { return cpuid.CPU.Supports(needs[i]...) }

// assemblyKernels are the rows of the dispatch table that _asm generates code
// for. The numbers of lanes and steps here and in _asm/shape.go must agree.
func assemblyKernels() []Kernel {
	return []Kernel{
		{
			ISA: AVX2, Type: elem.Float64, MR: 6, NR: 8,
			Blocking: Blocking{MC: 2048, KC: 384, NC: 192},
			routines: &routines[float64]{
				tails:     []tail[float64]{{4, micro64AVX2x4}, {8, micro64AVX2x8}},
				turnSteps: 8,
				packer: packer[float64]{
					rowsA: packRowsA64AVX2, rowsB: packRowsB64AVX2, sumRowsB: sumRowsB64AVX2,
					transposes: []transpose[float64]{{4, 8, transpose64AVX2x4}},
				},
				strips: strips[float64]{
					{4, weigh64AVX2x4, across64AVX2x4}, {8, weigh64AVX2x8, across64AVX2x8},
				},
				flops: 2 * 12 * 4, peakSteps: peak64AVX2,
			},
		},
		{
			ISA: AVX2, Type: elem.Float32, MR: 6, NR: 16,
			Blocking: Blocking{MC: 2048, KC: 384, NC: 384},
			routines: &routines[float32]{
				tails:     []tail[float32]{{8, micro32AVX2x8}, {16, micro32AVX2x16}},
				turnSteps: 8,
				packer: packer[float32]{
					rowsA: packRowsA32AVX2, rowsB: packRowsB32AVX2, sumRowsB: sumRowsB32AVX2,
					transposes: []transpose[float32]{{4, 8, transpose32AVX2x4}},
				},
				strips: strips[float32]{
					{8, weigh32AVX2x8, across32AVX2x8}, {16, weigh32AVX2x16, across32AVX2x16},
				},
				flops: 2 * 12 * 8, peakSteps: peak32AVX2,
			},
		},
		{
			ISA: AVX512, Type: elem.Float64, MR: 8, NR: 24,
			Blocking: Blocking{MC: 2048, KC: 384, NC: 192},
			routines: &routines[float64]{
				tails:     []tail[float64]{{8, micro64AVX512x8}, {16, micro64AVX512x16}, {24, micro64AVX512x24}},
				turnSteps: 4,
				packer: packer[float64]{
					rowsA: packRowsA64AVX512, rowsB: packRowsB64AVX512, sumRowsB: sumRowsB64AVX512,
					transposes: []transpose[float64]{{8, 8, transpose64AVX512x8}},
				},
				strips: strips[float64]{
					{8, weigh64AVX512x8, across64AVX512x8}, {16, weigh64AVX512x16, across64AVX512x16},
					{24, weigh64AVX512x24, across64AVX512x24}, {64, weigh64AVX512x64, across64AVX512x64},
				},
				checksums: checksums64AVX512,
				digester:  digester[float64]{digest64AVX512, weighDigested64AVX512},
				flops:     2 * 12 * 8, peakSteps: peak64AVX512,
			},
		},
		{
			ISA: AVX512, Type: elem.Float32, MR: 8, NR: 48,
			Blocking: Blocking{MC: 2048, KC: 512, NC: 240},
			routines: &routines[float32]{
				tails:     []tail[float32]{{16, micro32AVX512x16}, {32, micro32AVX512x32}, {48, micro32AVX512x48}},
				turnSteps: 4,
				packer: packer[float32]{
					rowsA: packRowsA32AVX512, rowsB: packRowsB32AVX512, sumRowsB: sumRowsB32AVX512,
					transposes: []transpose[float32]{{8, 16, transpose32AVX512x8}, {16, 16, transpose32AVX512x16}},
				},
				strips: strips[float32]{
					{8, weigh32AVX512x8, across32AVX512x8},
					{16, weigh32AVX512x16, across32AVX512x16}, {32, weigh32AVX512x32, across32AVX512x32},
					{48, weigh32AVX512x48, across32AVX512x48}, {128, weigh32AVX512x128, across32AVX512x128},
				},
				checksums: checksums32AVX512,
				digester:  digester[float32]{digest32AVX512, weighDigested32AVX512},
				flops:     2 * 12 * 16, peakSteps: peak32AVX512,
			},
		},
	}
}
