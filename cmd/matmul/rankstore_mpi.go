//go:build mpi

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path/filepath"
	"time"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/trace"
	"matmul/tiling"
)

// openFile opens the part file at every rank, unless rank 0 alone writes it.
// Collective.
func (p *part) openFile(ctx context.Context) error {
	if p.scatter {
		return nil
	}
	dir, name, err := matfile.Beside(p.out)
	if err := p.agree(ctx, err); err != nil {
		return err
	}
	p.file, err = p.world.OpenFile(filepath.Join(dir, name+matfile.PartSuffix))
	return p.agree(ctx, err)
}

// closeFile makes durable what every rank has written. Collective.
func (p *part) closeFile() error {
	if p.file == nil {
		return nil
	}
	return errors.Join(p.file.Sync(), p.file.Close())
}

// store writes this rank's block of a band, as other ranks do theirs, and
// records it if there are checkpoints. Collective.
func (p *part) store(ctx context.Context, mem []byte) error {
	begin := sys.Monotonic()
	defer func() {
		p.stored += time.Duration(sys.Monotonic() - begin)
		p.traceStep(trace.Doing, "store", 0, begin)
	}()
	r := p.block(p.world.Rank)
	mem = mem[:r.Rows()*r.Cols()*int64(p.spec.Type.Size())]
	if p.spec.Type == elem.Float32 {
		elem.Canonical(elem.Slice[float32](mem))
	} else {
		elem.Canonical(elem.Slice[float64](mem))
	}
	write := p.writeTogether
	if p.scatter {
		write = p.collect
	}
	if err := p.agree(ctx, write(ctx, mem)); err != nil || !p.checkpoints {
		return err
	}
	if p.file != nil {
		if err := p.agree(ctx, p.file.Sync()); err != nil {
			return err
		}
	}
	return p.agree(ctx, p.record(r, mem))
}

// writeTogether writes this rank's block of a band, as other ranks do theirs.
// Collective.
func (p *part) writeTogether(_ context.Context, mem []byte) error {
	// The header's length is that of the same matrix at every rank.
	m, n, size := p.spec.A.Rows, p.spec.B.Cols, p.spec.Type.Size()
	total, err := matfile.Size(m, n, p.spec.Type)
	if err != nil {
		return err
	}
	return p.file.WriteBlock(mem, total-m*n*int64(size), size, m, n, p.block(p.world.Rank))
}

// castagnoli is the polynomial of the sums that a journal holds.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record notes in the journal of rank 0 what every rank has written. Collective.
func (p *part) record(r tiling.Rect, mem []byte) error {
	mine := make([]byte, 0, 40)
	for _, v := range []int64{r.R0, r.R1, r.C0, r.C1, int64(crc32.Checksum(mem, castagnoli))} {
		mine = binary.NativeEndian.AppendUint64(mine, uint64(v))
	}
	all, err := p.world.Gather(mine, 0)
	if p.reached(err) != nil || p.world.Rank > 0 {
		return err
	}
	for ; len(all) > 0; all = all[len(mine):] {
		at := func(i int) int64 { return int64(binary.NativeEndian.Uint64(all[8*i:])) }
		if r := (tiling.Rect{R0: at(0), R1: at(1), C0: at(2), C1: at(3)}); r.Rows() > 0 && r.Cols() > 0 {
			p.saver.stored(r, uint32(at(4)))
		}
	}
	return p.save()
}
