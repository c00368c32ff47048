package master_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// banded plans a product with so many bytes more than the least.
func (s *sample) banded(t *testing.T, more int64, workers int) *master.Banded {
	t.Helper()
	x := s.spec
	p := tiling.BandParams{Problem: tiling.Problem{M: x.A.Rows, N: x.B.Cols, K: x.A.Cols}, MR: int64(x.Kernel.MR), NR: int64(x.Kernel.NR),
		Size: int64(x.Type.Size()), ReadA: int64(x.Type.Size()), ReadB: int64(x.Type.Size())}
	if x.Beta != 0 {
		p.ReadC0 = p.Size
	}
	p.Memory = p.Least() + more
	bands, err := tiling.NewBands(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := master.NewBanded(x, bands, workers)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func bandedSample[T elem.Float](t *testing.T, rng *rand.Rand, isa gemm.ISA) *sample {
	side := func() int { return 1 + rng.IntN(400) }
	p := random(side(), side(), side(), 1.3, T(rng.IntN(2))*0.7, rng.IntN(2) == 0, rng.IntN(2) == 0)
	x := p.spec(t, isa)
	x.Slice = int64(500 + rng.IntN(5000))
	s := toFiles(t, t.TempDir(), p, x)
	t.Cleanup(s.close)
	return s
}

// TestBandsGiveTheBitsOfTheDefinition does products of random shapes with little
// memory in every kind of segment, and kills workers meanwhile.
func TestBandsGiveTheBitsOfTheDefinition(t *testing.T) {
	for i, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			pool, ctx := open(t, e, 3), limited(t)
			rng := rand.New(rand.NewPCG(23, uint64(i)))
			stop := make(chan struct{})
			var killing sync.WaitGroup
			killing.Go(func() {
				for pause := 20000; ; { // longer after each kill, so that tasks of any length get done
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(rand.IntN(pause)) * time.Microsecond):
						if killBusy(pool, rand.IntN(3)) {
							pause += 10000
						}
					}
				}
			})
			end := sync.OnceFunc(func() { // before the pool is closed
				close(stop)
				killing.Wait()
			})
			defer end()
			steps, products := int64(0), 10
			if testing.Short() {
				products = 4
			}
			for n := range products {
				s := bandedSample[float64](t, rng, gemm.Supported()[n%len(gemm.Supported())])
				if n%2 == 1 {
					s = bandedSample[float32](t, rng, gemm.Auto)
				}
				b := s.banded(t, rng.Int64N(1<<20), pool.Workers())
				if _, err := pool.RunBanded(ctx, b); err != nil {
					t.Fatalf("%+v: %v\n%s", b.Bands, err, describe(pool))
				}
				s.check(t)
				_, of := b.Progress()
				steps += of
			}
			end()
			t.Logf("%d steps, %d deaths", steps, pool.Deaths())
			if steps <= int64(products) {
				t.Error("so few steps show little")
			}
		})
	}
}

// TestBandsGoOnWithWhatIsKept stores some of the rectangles of a first run and
// goes on with other bands: what is kept is not written again.
func TestBandsGoOnWithWhatIsKept(t *testing.T) {
	pool, ctx := open(t, engine{"", processes, shmmat.Memfd}, 3), limited(t)
	rng := rand.New(rand.NewPCG(29, 0))
	kept := 0
	for range 10 {
		p := random[float64](150+rng.IntN(250), 150+rng.IntN(250), 1+rng.IntN(200), 1.3, 0.7, false, false)
		s := toFiles(t, t.TempDir(), p, p.spec(t, gemm.Auto))
		t.Cleanup(s.close)
		var rects []tiling.Rect
		s.spec.Out.Stored = func(r tiling.Rect, _ uint32) { rects = append(rects, r) }
		if _, err := pool.RunBanded(ctx, s.banded(t, rng.Int64N(1<<18), pool.Workers())); err != nil {
			t.Fatal(err)
		}
		s.check(t)
		// A part is kept, the rest is overwritten with something else.
		rng.Shuffle(len(rects), func(i, j int) { rects[i], rects[j] = rects[j], rects[i] })
		s.spec.Kept = slices.Clone(rects[:rng.IntN(len(rects)+1)])
		junk := slices.Repeat([]float64{1e300}, p.m*p.n)
		for _, r := range s.spec.Kept {
			for i := r.R0; i < r.R1; i++ {
				copy(junk[i*int64(p.n)+r.C0:i*int64(p.n)+r.C1], p.want[i*int64(p.n)+r.C0:])
			}
		}
		if _, err := s.out.WriteAt(elem.Bytes(junk), 0); err != nil {
			t.Fatal(err)
		}
		area, again := 0, int64(0)
		s.spec.Out.Stored = func(r tiling.Rect, _ uint32) { again += r.Rows() * r.Cols() }
		b := s.banded(t, rng.Int64N(1<<18), pool.Workers())
		if _, err := pool.RunBanded(ctx, b); err != nil {
			t.Fatal(err)
		}
		s.check(t)
		for _, r := range s.spec.Kept {
			area += int(r.Rows() * r.Cols())
		}
		if int(again) < p.m*p.n-area {
			t.Errorf("%d of %d elements are stored, and %d were kept", again, p.m*p.n, area)
		}
		kept += p.m*p.n - int(again)
	}
	if kept == 0 {
		t.Error("nothing was kept: this shows nothing")
	}
}

// TestAnInputThatChangesBetweenTwoReadsIsFound changes one element of each input
// when the first super-tile is stored.
func TestAnInputThatChangesBetweenTwoReadsIsFound(t *testing.T) {
	for _, role := range []shmmat.Role{shmmat.FileA, shmmat.FileB} {
		for _, isa := range gemm.Supported() {
			t.Run(fmt.Sprintf("%s/%s", role, isa), func(t *testing.T) {
				pool, ctx := open(t, engine{"", processes, shmmat.Memfd}, 2), limited(t)
				p := &product[float64]{m: 500, n: 500, k: 2000, alpha: 1,
					a: make([]float64, 500*2000), b: make([]float64, 2000*500), want: make([]float64, 500*500)}
				s := toFiles(t, t.TempDir(), p, p.spec(t, isa))
				defer s.close()
				var once sync.Once
				s.spec.Out.Stored = func(tiling.Rect, uint32) {
					once.Do(func() {
						for f, size := range map[shmmat.Role]int64{shmmat.FileA: 8 * 500 * 2000, shmmat.FileB: 8 * 2000 * 500} {
							if f != role {
								continue
							}
							file := s.spec.A.File
							if f == shmmat.FileB {
								file = s.spec.B.File
							}
							for _, at := range []int64{0, size - 8} { // one of them is read again
								if _, err := file.WriteAt([]byte{0x42}, at); err != nil {
									t.Error(err)
								}
							}
						}
					})
				}
				_, err := pool.RunBanded(ctx, s.banded(t, 0, 2))
				var file *master.FileError
				if !errors.As(err, &file) || file.Role != role {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// TestBandsAreGivenBack: memory and descriptors are what they were, also after
// an error and a cancelled run.
func TestBandsAreGivenBack(t *testing.T) {
	pool, ctx := open(t, engine{"", processes, shmmat.Memfd}, 2), limited(t)
	rng := rand.New(rand.NewPCG(31, 0))
	s := bandedSample[float64](t, rng, gemm.Auto)
	eventually(t, func() string {
		if slices.Contains(pool.Pids(), 0) {
			return "a worker was not started"
		}
		return ""
	})
	before, bytes := take(""), sharedBytes()
	b := s.banded(t, 0, 2)
	if _, err := pool.RunBanded(ctx, b); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	cancelled, cancel := context.WithCancelCause(ctx)
	s.spec.Out.Stored = func(tiling.Rect, uint32) { cancel(stop) }
	if _, err := pool.RunBanded(cancelled, s.banded(t, 0, 2)); err != nil && !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	s.spec.Out.Stored = nil
	if err := s.spec.B.File.Truncate(5); err != nil {
		t.Fatal(err)
	}
	var file *master.FileError
	if _, err := pool.RunBanded(ctx, s.banded(t, 0, 2)); !errors.As(err, &file) {
		t.Errorf("got %v", err)
	}
	before.unchanged(t, t.TempDir())
	if now := sharedBytes(); now != bytes {
		t.Errorf("segments had %d bytes and have %d", bytes, now)
	}
}

// Bands set aside for their checksums what package gemm takes for them.
func TestChecksumsOfBandsHaveTheirRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 0))
	for range 200 {
		m, n, k := 1+r.Int64N(3000), 1+r.Int64N(3000), 1+r.Int64N(3000)
		for _, e := range []elem.Type{elem.Float64, elem.Float32} {
			kernel, err := gemm.Lookup(gemm.Auto, e)
			if err != nil {
				t.Fatal(err)
			}
			b := tiling.Bands{BandParams: tiling.BandParams{MR: int64(kernel.MR), NR: int64(gemm.SumLanes(kernel.NR)), Checksums: true, Size: int64(e.Size())},
				Height: m, Width: n, Depth: k}
			a, _ := gemm.CheckBytes(int(m), int(k), kernel.MR, e)
			_, bb := gemm.CheckBytes(int(n), int(k), kernel.NR, e)
			if b.ChecksumsA() != a || b.ChecksumsB() != bb {
				t.Fatalf("%s, %d×%d×%d: %d and %d bytes, want %d and %d", e, m, n, k, b.ChecksumsA(), b.ChecksumsB(), a, bb)
			}
		}
	}
}
