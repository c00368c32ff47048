package gemm

import "matmul/internal/elem"

// table is the dispatch table. The portable kernels stand here; a build with
// assembly appends its own.
var table = append([]Kernel{
	{
		ISA: Generic, Type: elem.Float64, MR: portableMR, NR: portableNR,
		Blocking: Blocking{MC: 256, KC: 256, NC: 64},
		routines: &routines[float64]{
			tails: []tail[float64]{{portableNR, portable64}}, turnSteps: 4,
			packer: portablePacker[float64](),
			flops:  peakFlops, peakSteps: portablePeak64,
		},
	},
	{
		ISA: Generic, Type: elem.Float32, MR: portableMR, NR: portableNR,
		Blocking: Blocking{MC: 256, KC: 256, NC: 64},
		routines: &routines[float32]{
			tails: []tail[float32]{{portableNR, portable32}}, turnSteps: 4,
			packer: portablePacker[float32](),
			flops:  peakFlops, peakSteps: portablePeak32,
		},
	},
}, assemblyKernels()...)
