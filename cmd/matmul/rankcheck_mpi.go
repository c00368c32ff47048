//go:build mpi

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/internal/verify"
)

// check verifies what is to become C, each rank a share of its rows; with --scatter
// rank 0 all. Rank 0 has the verdict. Collective.
func (t *team) check(ctx context.Context, p *product) error {
	if p.method == "" {
		return nil
	}
	if p.scatter {
		if t.world.Rank > 0 {
			return nil
		}
		return p.checkOutput(ctx, verify.Options{})
	}
	c, err := t.written(p)
	if err := t.agree(ctx, err); err != nil {
		return err
	}
	if t.world.Rank > 0 {
		defer c.Close()
	}
	seed, err := t.most(ctx, int64(rand.Uint64N(1<<62)+1))
	if err != nil {
		return err
	}
	o := verify.Options{Seed: uint64(seed), Workers: runtime.NumCPU(),
		Share: &verify.Share{Index: t.world.Rank, Count: t.world.Size}}
	o.Share.Exchange = func(err error, vectors ...[]float64) error { return t.trade(ctx, o.Share, err, vectors) }
	bar := p.show.start("verify", nil)
	o.Progress = bar.set
	r, err := runCheck(ctx, p.method, p.problem(p.in, c), o)
	bar.end()
	if err := t.agree(ctx, err); err != nil {
		return err
	}
	rs, err := t.reports(r)
	if err != nil || t.world.Rank > 0 {
		return err
	}
	return adviseWrong(p.judge(verify.Sum(rs)))
}

// written opens the file that C has been written to.
func (t *team) written(p *product) (*matfile.File, error) {
	if t.world.Rank == 0 {
		return &matfile.File{Info: p.dest.Info, File: p.dest.File()}, nil
	}
	dir, name, err := matfile.Beside(p.out)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, name+matfile.PartSuffix))
	if err != nil {
		return nil, err
	}
	in, err := matfile.Parse(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	in.Path = p.out
	return &matfile.File{Info: in, File: f}, nil
}

// trade brings each rank's part of the vectors to all others, unless one has an
// error. Collective.
func (t *team) trade(ctx context.Context, s *verify.Share, err error, vectors [][]float64) error {
	if err := t.agree(ctx, err); err != nil {
		return err
	}
	longest := int64(0)
	for _, v := range vectors {
		from, to := s.Part(int64(len(v)), 0) // no part is longer
		longest = max(longest, to-from)
	}
	buf := mpi.Alloc(8 * int(max(longest, 1)))
	for _, v := range vectors {
		for rank := range s.Count {
			from, to := s.Part(int64(len(v)), rank)
			part := elem.Slice[float64](buf)[:to-from]
			if rank == t.world.Rank {
				copy(part, v[from:to])
			}
			if err := t.bcast(ctx, elem.Bytes(part), rank); err != nil {
				return err
			}
			copy(v[from:to], part)
		}
	}
	mpi.Free(buf) // after an error, a transfer may still use it
	return nil
}

// A shareReport is what a rank tells of its share of a check.
type shareReport struct {
	Worst, Element verify.Difference
	Wrong, Defined int64
	Elapsed        int64
}

// reports brings the reports of all shares to rank 0. Collective.
func (t *team) reports(r verify.Report) ([]verify.Report, error) {
	mine, err := binary.Append(nil, binary.NativeEndian, shareReport{r.Worst, r.Element, r.Wrong, r.Defined, int64(r.Elapsed)})
	if err != nil {
		panic(err) // it holds numbers
	}
	all, err := t.world.Gather(mine, 0)
	if t.reached(err) != nil || t.world.Rank > 0 {
		return nil, err
	}
	rs := make([]verify.Report, t.world.Size)
	for i, in := 0, bytes.NewReader(all); i < len(rs); i++ {
		var s shareReport
		if err := binary.Read(in, binary.NativeEndian, &s); err != nil {
			panic(err) // it is as long as so many
		}
		rs[i] = r
		rs[i].Worst, rs[i].Element, rs[i].Wrong, rs[i].Defined = s.Worst, s.Element, s.Wrong, s.Defined
		rs[i].Elapsed = time.Duration(s.Elapsed)
	}
	return rs, nil
}
