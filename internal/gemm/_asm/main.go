// Command asm generates the amd64 assembly of package gemm with avo, one file
// and its Go stubs per instruction set. Run it through go generate.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	name := flag.String("isa", "avx512", "instruction set: avx512 or avx2")
	flag.Parse()
	shapes, ok := isas[*name]
	if !ok {
		log.Fatalf("no shapes for %q", *name)
	}
	ConstraintExpr("!purego")
	for _, s := range shapes {
		for cols := s.lanes(); cols <= s.nr; cols += s.lanes() {
			s.microKernel(cols)
		}
		s.packRows("A", s.mr)
		s.packRows("B", s.nr)
		s.sumRows(s.nr)
		for _, lanes := range s.groups {
			s.packTranspose(lanes)
		}
		for _, width := range s.summed() {
			s.sums(width)
		}
		if s.vector == 64 { // else there are too few registers, and no masks
			s.checksums()
			bytes, vecs := s.part(s.mr)
			s.weigh(s.mr, bytes, vecs, true)
			s.digests()
		}
		s.peak()
	}
	Generate()
}
