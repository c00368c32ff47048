package gemm

import "matmul/internal/elem"

// packPlain is packing by its definition: lanes [l0, l1) of one micro-panel
// at depths [p0, p1), those from lanes on being zero.
func packPlain[T elem.Float](dst []T, width, l0, l1, lanes, p0, p1 int, src *Source[T], scale T) {
	for p := p0; p < p1; p++ {
		row := dst[p*width : p*width+width]
		for l := l0; l < min(l1, lanes); l++ {
			row[l] = T(scale * src.Data[l*src.LaneStride+p*src.DepthStride])
		}
		clear(row[max(l0, min(l1, lanes)):l1])
	}
}

// portablePacker packs with plain loops.
func portablePacker[T elem.Float]() packer[T] {
	return packer[T]{
		rowsA: portableRows[T], rowsB: portableRows[T],
		transposes: []transpose[T]{{portableMR, 1, portableTranspose[T]}},
	}
}

func portableRows[T elem.Float](n int, dst, src []T, stride int, scale T) {
	s := Source[T]{src, 1, stride}
	packPlain(dst, portableMR, 0, portableMR, portableMR, 0, n, &s, scale)
}

// portableTranspose stops at the end of dst, which ends with the group.
func portableTranspose[T elem.Float](n int, dst []T, width int, src []T, stride int, scale T) {
	for l := range portableMR {
		for p, x := range src[l*stride:][:n] {
			dst[p*width+l] = T(scale * x)
		}
	}
}
