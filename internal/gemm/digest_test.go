package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"matmul/internal/elem"
)

// Digests are what their definition makes of what was packed, from whatever source, in
// whatever pieces, with NaNs of all kinds, which are quiet when they are packed.
func TestDigestsAreThoseOfThePanels(t *testing.T) {
	t.Run("float64", testDigests[float64])
	t.Run("float32", testDigests[float32])
}

func testDigests[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(23, 0))
	for range samples() / 100 {
		for _, k := range kernels[T](t) {
			x := newTrial[T](r, 1+r.IntN(5*k.MR), 1, 1+r.IntN(3*SumDepths+9))
			x.fillOperands(r, flavours[r.IntN(len(flavours))])
			for range r.IntN(4) {
				elem.Bytes(x.a.buf[r.IntN(len(x.a.buf)):][:1])[elem.Of[T]().Size()-1] |= 0x7f // one of many NaNs, or huge
			}
			a, _ := x.panels(k, x.a.buf, x.lda, !x.transA, x.m, k.MR, x.alpha)
			o := Operand[T]{Packed: a, Digests: x.digests(k, a)}
			if Damaged(&o, 0, x.m) {
				t.Fatalf("%v %v: digests are not those of the panels", k, x)
			}
			l, p, bit := r.IntN(x.m), r.IntN(x.k), r.IntN(8*elem.Of[T]().Size())
			at := &a.panel(l, p)[l%k.MR]
			was := *at
			flipOne(r, a.panel(l, p)[l%k.MR:][:1], bit)
			if changed := !same(was, *at); Damaged(&o, l, l+1) != changed {
				t.Fatalf("%v %v: bit %d of %v flipped: damaged %v, want %v", k, x, bit, was, !changed, changed)
			}
		}
	}
}

// The routine that weighs rows and makes their digests does what the two loops do.
func TestRowsAreWeighedWithTheirDigests(t *testing.T) {
	t.Run("float64", testWeighDigested[float64])
	t.Run("float32", testWeighDigested[float32])
}

func testWeighDigested[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(24, 0))
	for _, k := range kernels[T](t) {
		rows := routinesOf[T](k).digester.rows
		for n := 1; n < 40 && rows != nil; n++ {
			for _, step := range []int{k.MR, k.MR + 3} {
				x, w, sum := newGuarded[T]((n-1)*step+k.MR, r.IntN(9)), newGuarded[T](n, r.IntN(9)), newGuarded[T](k.MR, r.IntN(9))
				for _, g := range []guarded[T]{x, w, sum} {
					for i := range g.buf {
						g.buf[i] = T(r.IntN(201) - 100) // whose sums are exact in any order
					}
				}
				if r.IntN(4) == 0 {
					x.buf[r.IntN(len(x.buf))] = T(math.NaN())
				}
				b := &patch[T]{x.buf, n, k.MR, step, 1}
				wantSum, digest, want := slices.Clone(sum.buf), make([]uint64, k.MR+1), make([]uint64, k.MR+1)
				for i := range digest {
					digest[i] = r.Uint64()
				}
				copy(want, digest)
				b.weigh(0, w.buf, wantSum, values)
				addBits(want, b, 1)
				rows(n, x.buf, step, w.buf, sum.buf, digest)
				what := fmt.Sprintf("%v: %d rows, %d apart", k, n, step)
				for i := range digest {
					if (digest[i]-want[i])<<(64-8*elem.Of[T]().Size()) != 0 {
						t.Errorf("%s: lane %d: digest %#x, want %#x", what, i, digest[i], want[i])
					}
				}
				if !slices.EqualFunc(sum.buf, wantSum, same[T]) {
					t.Errorf("%s: %v, want %v", what, sum.buf, wantSum)
				}
				sum.check(t, what)
			}
		}
	}
}
