package gemm

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/plots"
)

var (
	seed  = flag.Uint64("seed", 1, "of the campaigns of checked tiles")
	curve = flag.String("curve", "", "draw what was found of the flips of each bit to a `FILE`, .svg or .png")
)

// A ward is a tile that is checked, small enough to be done many thousand times,
// with what shows whether its check is right.
type ward[T elem.Float] struct {
	*trial[T]
	kernel *Kernel
	ws     *Workspace[T]
	a, b   Operand[T]
	want   []T
}

// newWard makes a tile of mostly one block of rows and several k-blocks.
func newWard[T elem.Float](r *rand.Rand, ks []*Kernel, f flavour) *ward[T] {
	k := ks[r.IntN(len(ks))]
	m, n, depth, mc := 1+r.IntN(3*k.MR), 1+r.IntN(2*k.NR+k.NR/2), 1+r.IntN(64), 1000
	if r.IntN(32) == 0 {
		m, mc = 1+r.IntN(200), 64
	}
	w := &ward[T]{trial: newTrial[T](r, m, n, depth), kernel: k}
	w.tileM, w.tileN = 0, 0
	w.blocking = Blocking{MC: mc, KC: 4 + r.IntN(depth), NC: 1 + r.IntN(100)}
	w.fillOperands(r, f)
	return w
}

// pack packs the operands, or packs them again.
func (w *ward[T]) pack() {
	a, _ := w.panels(w.kernel, w.trial.a.buf, w.lda, !w.transA, w.m, w.kernel.MR, w.alpha)
	b, _ := w.panels(w.kernel, w.trial.b.buf, w.ldb, w.transB, w.n, w.kernel.NR, 1)
	w.a = Operand[T]{Packed: a, Digests: w.digests(w.kernel, a)}
	w.b = Operand[T]{Packed: b, Sums: w.sums(w.kernel, b)}
}

// store leaves the operands where they are stored.
func (w *ward[T]) store() {
	w.a = w.stored(w.trial.a.buf, w.lda, !w.transA, w.m, w.alpha)
	w.b = w.stored(w.trial.b.buf, w.ldb, w.transB, w.n, 1)
}

// check computes the tile and checks it.
func (w *ward[T]) check(step func()) (right bool) {
	t := Tile[T]{A: w.a, B: w.b, I1: w.m, J1: w.n, C: w.c.buf, LDC: w.ldc, Step: step}
	if w.withC0 {
		t.C0, t.LDC0, t.Beta = w.c0.buf, w.ldc0, w.beta
	}
	return Checked(w.kernel, w.blocking, w.ws, t)
}

// isRight compares all bits of C with the definition.
func (w *ward[T]) isRight() bool {
	for i := range w.m {
		for j, want := range w.want[i*w.n:][:w.n] {
			if !same(w.c.buf[i*w.ldc+j], want) {
				return false
			}
		}
	}
	return true
}

// adverse are flavours that try the bounds: magnitudes from one end of the type
// to the other, sums that cancel, denormal numbers, and some that hide all others
// or are not finite.
func adverse[T elem.Float]() []flavour {
	tiny, huge := tiny64, huge64
	if elem.Of[T]() == elem.Float32 {
		tiny, huge = tiny32, huge32
	}
	last := 0.0
	return append([]flavour{
		func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), r.IntN(2*huge)-huge) },
		func(r *rand.Rand) float64 { // x, −x, y, −y…, but for their last bits
			if last != 0 {
				x := -last * (1 + float64(r.IntN(3)-1)*0x1p-22)
				last = 0
				return x
			}
			last = math.Ldexp(r.NormFloat64(), r.IntN(30))
			return last
		},
		func(r *rand.Rand) float64 { return math.Ldexp(float64(r.IntN(9)-4), 2*tiny+r.IntN(6)) }, // denormal
		func(r *rand.Rand) float64 { // now and then one that hides all others
			if r.IntN(50) == 0 {
				return math.Ldexp(1, huge-r.IntN(20))
			}
			return r.NormFloat64()
		},
	}, flavours...)
}

// TestNoRightTileIsSaidToBeWrong checks tiles that nobody touches.
func TestNoRightTileIsSaidToBeWrong(t *testing.T) {
	t.Run("float64", testNoFalseAlarm[float64])
	t.Run("float32", testNoFalseAlarm[float32])
}

func testNoFalseAlarm[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(*seed, uint64(elem.Of[T]())))
	ks, ws, fs := kernels[T](t), new(Workspace[T]), adverse[T]()
	unsure, measured := 0, 0
	for i := range checks() / 2 {
		w := newWard[T](r, ks, fs[i%len(fs)])
		w.ws = ws
		if w.store(); r.IntN(3) > 0 {
			w.pack()
		}
		if !w.check(nil) {
			t.Fatalf("tile %d of seed %d: %v %v, flavour %d: a tile is said to be wrong", i, *seed, w.kernel, w, i%len(fs))
		}
		if w.want = nil; i%16 == 0 {
			if w.want = w.reference(); !w.isRight() {
				t.Fatalf("tile %d of seed %d: %v %v: C is wrong", i, *seed, w.kernel, w)
			}
		}
		count(&unsure, ws.check.unsure)
		count(&measured, ws.check.measured && !ws.check.unsure)
	}
	t.Logf("%d tiles, %d computed twice, magnitudes of %d others measured; no false alarm", checks()/2, unsure, measured)
	if unsure == 0 || unsure > checks()/4 || measured == 0 || measured > checks()/4 {
		t.Error("not what the flavours are made for")
	}
}

// The places where bits are flipped.
const (
	panelsOfA = iota
	panelsOfB
	accumulators
	storedC
	places
)

var placeNames = [places]string{"panels of A", "panels of B", "accumulators", "C"}

// A tally counts the flips of one bit: all, those that changed C, those that
// change a sum by more than its bound, by more than twice its bound, and those
// that were found: of all, of those that changed C, and of those above a bound.
type tally struct{ flips, mattered, near, beyond, found, foundMattered, nearFound int }

// TestFlippedBitsAreFoundAndRepaired flips one bit in each of many tiles: in a
// panel, before the tile or in the midst of it, in the sums that rest between
// two k-blocks, or in C. In panels of A each flip that changes C must be found. What
// others do is measured by the sums of the rows of C. A right sum may be off
// by its bound to one side, and a wrong one is let pass up to it on the other:
// what changes a sum by more than both must be found, and the tile, done again
// from what was read, have the bits of the definition.
func TestFlippedBitsAreFoundAndRepaired(t *testing.T) {
	var f64, f32 tallies
	t.Cleanup(func() { // when both have ended
		if *curve != "" && !t.Failed() {
			draw(t, f64.panel("float64", 64, 52), f32.panel("float32", 32, 23))
		}
	})
	t.Run("float64", func(t *testing.T) { testFlips[float64](t, &f64) })
	t.Run("float32", func(t *testing.T) { testFlips[float32](t, &f32) })
}

// tallies are those of each place and bit.
type tallies [places][64]tally

// panel draws, for each place, what was found of the flips that changed C, and
// for all what was found of those beyond the bound. The exponent begins at bit e.
func (c *tallies) panel(dtype string, bits, e int) *plots.Bits {
	percent := func(s *plots.Series, bit, part, of int) {
		if of > 0 {
			s.Points = append(s.Points, plots.Point{X: float64(bit), Y: 100 * float64(part) / float64(of)})
		}
	}
	p := &plots.Bits{Title: "Flips of one bit that changed C and were found, " + dtype, Y: "found (%)", Bits: bits,
		All:   plots.Series{Name: "beyond the bound"},
		Marks: []plots.Mark{{At: float64(e), Name: "exponent from here"}, {At: float64(bits - 1), Name: "sign"}}}
	for place, of := range c {
		s := plots.Series{Name: placeNames[place]}
		for bit, n := range of[:bits] {
			percent(&s, bit, n.foundMattered, n.mattered)
		}
		p.Places = append(p.Places, s)
	}
	for bit := range bits {
		near, found := 0, 0
		for place := range c {
			near, found = near+c[place][bit].near, found+c[place][bit].nearFound
		}
		percent(&p.All, bit, found, near)
	}
	return p
}

// draw writes the curve.
func draw(t *testing.T, panels ...plots.Panel) {
	f, err := plots.Create(*curve)
	if err == nil {
		err = f.Write(panels...)
	}
	if err != nil {
		t.Error(err)
	}
}

func testFlips[T elem.Float](t *testing.T, all *tallies) {
	t.Parallel()
	r := rand.New(rand.NewPCG(*seed+1, uint64(elem.Of[T]())))
	ks, ws := kernels[T](t), new(Workspace[T])
	bits := 8 * elem.Of[T]().Size()
	for i := range flips() / 2 {
		w := newWard[T](r, ks, flavours[r.IntN(4)])
		w.ws, w.want = ws, w.reference()
		w.pack()
		place, bit := i%places, i/places%bits
		found := w.flip(t, r, place, bit)
		c := &all[place][bit]
		c.flips++
		effect := w.effect()
		if !found && effect > 2 {
			t.Fatalf("flip %d: %v %v: bit %d in %s changes a sum by %.3g times its bound, and was not found", i, w.kernel, w, bit, placeNames[place], effect)
		}
		mattered := !w.isRight()
		if !found && mattered && place == panelsOfA {
			t.Fatalf("flip %d: %v %v: bit %d in %s changes C, and was not found", i, w.kernel, w, bit, placeNames[place])
		}
		count(&c.mattered, mattered)
		count(&c.foundMattered, found && mattered)
		count(&c.near, effect > 1)
		count(&c.beyond, effect > 2)
		count(&c.found, found)
		count(&c.nearFound, found && effect > 1)
		if w.pack(); found && (!w.check(nil) || !w.isRight()) {
			t.Fatalf("flip %d: %v %v: bit %d in %s: not repaired", i, w.kernel, w, bit, placeNames[place])
		}
	}
	for place, of := range all {
		t.Logf("%s: bit, flips, changed C, by more than a bound, than two, found, of those above a bound", placeNames[place])
		sum := tally{}
		for bit, c := range of[:bits] {
			t.Logf("%2d %5d %5d %5d %5d %5d %5d", bit, c.flips, c.mattered, c.near, c.beyond, c.found, c.nearFound)
			sum = tally{sum.flips + c.flips, sum.mattered + c.mattered, sum.near + c.near, sum.beyond + c.beyond,
				sum.found + c.found, sum.foundMattered + c.foundMattered, sum.nearFound + c.nearFound}
		}
		t.Logf("all %+v", sum)
		if sum.beyond < sum.flips/20 {
			t.Errorf("%s: %d of %d flips went beyond a bound: this shows nothing", placeNames[place], sum.beyond, sum.flips)
		}
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// flip computes and checks the tile while one bit of a place is flipped, and
// reports whether the check found it.
func (w *ward[T]) flip(t *testing.T, r *rand.Rand, place, bit int) (found bool) {
	steps := 0
	if !w.check(func() { steps++ }) || !w.isRight() {
		t.Fatalf("%v %v: wrong before anything was flipped", w.kernel, w)
	}
	at := r.IntN(1 + r.IntN(steps)) // early more often: the last steps only store
	if place == accumulators && steps > 1 {
		at = 1 + r.IntN(1+r.IntN(steps-1)) // there are sums
	}
	change := func() {
		switch place {
		case panelsOfA:
			flipOne(r, w.a.Packed.Data, bit)
		case panelsOfB:
			flipOne(r, w.b.Packed.Data, bit)
		case accumulators:
			held := ((w.m-1)/w.kernel.MR + 1) * ((w.n-1)/w.kernel.NR + 1) * w.kernel.MR * w.kernel.NR
			flipOne(r, w.ws.blocks[:min(held, len(w.ws.blocks))], bit)
		}
	}
	if place == storedC {
		step, flipped := w.flipStored(r, r.IntN(steps), bit)
		if found = !w.check(step); !*flipped { // nothing was stored so late
			step, _ = w.flipStored(r, 0, bit)
			found = !w.check(step)
		}
		return found
	}
	if at == 0 {
		change()
	}
	done := 0
	return !w.check(func() {
		if done++; done == at {
			change()
		}
	})
}

// flipStored returns a step that flips a bit of what was stored since the step
// before it: once, as soon as so many steps are done and something was stored.
func (w *ward[T]) flipStored(r *rand.Rand, at, bit int) (step func(), flipped *bool) {
	for i := range w.m {
		for j := range w.n {
			w.c.buf[i*w.ldc+j] = T(math.NaN())
		}
	}
	before, done, flipped := slices.Clone(w.c.buf), 0, new(bool)
	return func() {
		var stored []int
		for i, x := range w.c.buf {
			if x == x && before[i] != before[i] {
				stored = append(stored, i)
			}
		}
		copy(before, w.c.buf)
		if done++; done > at && len(stored) > 0 && !*flipped {
			i := stored[r.IntN(len(stored))]
			flipOne(r, w.c.buf[i:i+1], bit)
			*flipped = true
		}
	}, flipped
}

func flipOne[T elem.Float](r *rand.Rand, s []T, bit int) {
	one := elem.Bytes(s[r.IntN(len(s)):][:1])
	one[bit/8] ^= 1 << (bit % 8)
}

// effect returns the most by which C has changed the sum of a row, in parts of the
// bound.
func (w *ward[T]) effect() (most float64) {
	b := precisionOf[T]().sumBound(w.n, w.k)
	for i := range w.m {
		change, size := 0.0, 0.0
		for j := range w.n {
			change += float64(w.c.buf[i*w.ldc+j]) - float64(w.want[i*w.n+j])
			size += w.magnitude(i, j)
		}
		switch e := math.Abs(change) / (b.relative*size + b.absolute); {
		case math.IsNaN(e):
			return math.Inf(1)
		case e > most:
			most = e
		}
	}
	return most
}

// magnitude is |α||A||B| + |β||C0| of an element.
func (w *ward[T]) magnitude(i, j int) (g float64) {
	ar, ac := strides(w.lda, w.transA)
	br, bc := strides(w.ldb, w.transB)
	for p := range w.k {
		g += math.Abs(float64(w.alpha) * float64(w.trial.a.buf[i*ar+p*ac]) * float64(w.trial.b.buf[p*br+j*bc]))
	}
	if w.withC0 {
		g += math.Abs(float64(w.beta) * float64(w.c0.buf[i*w.ldc0+j]))
	}
	return g
}

// Where sums say nothing, C is computed twice, and panels are compared with their
// checksums.
func TestFlippedBitsAreFoundWhereSumsAreNotFinite(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 0))
	for _, k := range kernels[float64](t) {
		for place := range places {
			t.Run(fmt.Sprintf("%v/%s", k, placeNames[place]), func(t *testing.T) {
				w := &ward[float64]{trial: newTrial[float64](r, k.MR+1, k.NR+1, 50), kernel: k, ws: new(Workspace[float64])}
				w.blocking, w.tileM, w.beta, w.withC0, w.alpha = Blocking{MC: 1000, KC: 16, NC: 1000}, 0, 0, false, 1
				w.fillOperands(r, flavours[0])
				w.trial.a.buf[0], w.trial.b.buf[0] = math.Inf(1), math.Inf(1)
				w.want = w.reference()
				missed := 0
				for bit := range 64 {
					w.pack()
					found := w.flip(t, r, place, bit)
					if found || w.isRight() {
						continue // or the flip was in what was computed for comparison
					}
					if place != panelsOfB {
						t.Errorf("bit %d: not found", bit)
					}
					count(&missed, bit >= 40)
				}
				if missed > 4 { // those beside an infinity
					t.Errorf("%d of 24 flips not found", missed)
				}
			})
		}
	}
}

// Where the columns of B cancel each other, sums of rows are near zero in every k-block:
// their parts say nothing about their rounding errors, and magnitudes are needed.
func TestMagnitudesDecideWhereSumsCancel(t *testing.T) {
	r := rand.New(rand.NewPCG(32, 0))
	for _, k := range kernels[float64](t) {
		for name, prepare := range map[string]func(*ward[float64]){"packed": (*ward[float64]).pack, "stored": (*ward[float64]).store} {
			t.Run(fmt.Sprintf("%v/%s", k, name), func(t *testing.T) {
				w := &ward[float64]{trial: newTrial[float64](r, 2*k.MR, 2*k.NR, 100), kernel: k, ws: new(Workspace[float64])}
				w.blocking, w.tileM, w.beta, w.withC0 = Blocking{MC: 1, KC: 32, NC: 1000}, 0, 0, false
				w.fillOperands(r, flavours[0])
				lane, depth := strides(w.ldb, !w.transB)
				for j := 1; j < w.n; j += 2 {
					for p := range w.k {
						b := w.trial.b.buf
						b[j*lane+p*depth] = -b[(j-1)*lane+p*depth] * (1 + 0x1p-45)
					}
				}
				w.want = w.reference()
				prepare(w)
				if !w.check(nil) || !w.isRight() {
					t.Fatal("a right tile is said to be wrong")
				}
				if !w.ws.check.measured || w.ws.check.unsure {
					t.Errorf("magnitudes measured: %v, computed twice: %v; want the former alone", w.ws.check.measured, w.ws.check.unsure)
				}
				for bit := range 64 {
					if found := w.flip(t, r, storedC, bit); !found && w.effect() > 2 {
						t.Errorf("a flip of bit %d changes a sum by %.3g times its bound, and was not found", bit, w.effect())
					}
				}
			})
		}
	}
}
