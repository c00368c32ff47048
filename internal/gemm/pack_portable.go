package gemm

import "matmul/internal/elem"

// packPlain is packing by its definition: so many lanes of one micro-panel at n depths,
// the other lanes being zero.
func packPlain[T elem.Float](dst []T, width, lanes, n int, src *Source[T], scale T) {
	for p := range n {
		row := dst[p*width:][:width]
		for l := range row[:lanes] {
			row[l] = T(scale * src.Data[l*src.LaneStride+p*src.DepthStride])
		}
		clear(row[lanes:])
	}
}

// pad zeroes the lanes that a micro-panel lacks, at n depths.
func pad[T elem.Float](dst []T, width, lanes, n int) {
	if lanes == width {
		return // most panels: this loop would cost them a part of their time
	}
	for p := range n {
		clear(dst[p*width:][lanes:width])
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
	packPlain(dst, portableMR, portableMR, n, &s, scale)
}

// portableTranspose stops at the end of dst, which ends with the group.
func portableTranspose[T elem.Float](n int, dst []T, width int, src []T, stride int, scale T) {
	for l := range portableMR {
		for p, x := range src[l*stride:][:n] {
			dst[p*width+l] = T(scale * x)
		}
	}
}
