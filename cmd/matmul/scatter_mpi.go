//go:build mpi

package main

import (
	"context"
	"encoding/json"
	"slices"

	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/tiling"
)

// With --scatter rank 0 alone has files. It sends the others their pieces of each
// step, and they send it their blocks of C: in chunks, so that it takes no more
// memory for them than two.

// describe tells every rank what rank 0 has opened. Collective.
func (t *team) describe(ctx context.Context, p *product) error {
	var operands [3]*matfile.Info
	var text []byte
	if t.world.Rank == 0 {
		for i, f := range []*matfile.File{p.in.a, p.in.b, p.in.c0} {
			if f != nil {
				operands[i] = &f.Info
			}
		}
		var err error
		if text, err = json.Marshal(operands); err != nil {
			panic(err) // it holds numbers and names
		}
	}
	text, err := t.share(ctx, text)
	if err != nil || t.world.Rank == 0 {
		return err
	}
	if err := json.Unmarshal(text, &operands); err != nil {
		return err
	}
	for i, f := range []**matfile.File{&p.in.a, &p.in.b, &p.in.c0} {
		if operands[i] != nil {
			*f = &matfile.File{Info: *operands[i]}
		}
	}
	return nil
}

// A parcel is a chunk of a piece on its way to a rank.
type parcel struct {
	to  int
	mem []byte
	*mpi.Request
}

// ship reads the pieces of a step of all other ranks, hands them over to be sent,
// and then reads its own. After an error, which may be there already, it hands
// over whatever there is: the others wait for it until they agree on an end.
func (p *part) ship(ctx context.Context, step int, parcels chan<- parcel, err error) error {
	size := int64(p.spec.Type.Size())
	for rank := 1; rank < p.world.Size; rank++ {
		for _, c := range p.pieces(rank, step) {
			n := c.rect.Rows() * c.rect.Cols() * size
			for at := int64(0); at < n; at += chunkSize {
				mem := (<-p.chunks)[:min(chunkSize, n-at)]
				if err == nil {
					err = c.read(ctx, p.spec.Type, at/size, mem)
				}
				parcels <- parcel{to: rank, mem: mem}
			}
		}
	}
	if err == nil {
		err = p.read(ctx, step)
	}
	return err
}

// receive begins to receive the pieces of a step from rank 0.
func (p *part) receive(step int) (rs []*mpi.Request, err error) {
	for _, c := range p.pieces(p.world.Rank, step) {
		for mem := range slices.Chunk(c.mem(p.spec.Type), chunkSize) {
			r, err := p.world.Receive(mem, 0)
			if err != nil {
				return nil, err
			}
			rs = append(rs, r)
		}
	}
	return rs, nil
}

// send sends a parcel, and takes back the memory of those that have arrived.
func (p *part) send(c *coming, next *parcel) (err error) {
	if next != nil {
		if next.Request, err = p.world.Send(next.mem, next.to); err != nil {
			return err
		}
		c.parcels = append(c.parcels, *next)
	}
	for len(c.parcels) > 0 {
		first := c.parcels[0]
		if done, err := first.Done(); !done || err != nil {
			return err
		}
		p.chunks <- first.mem[:chunkSize]
		c.parcels = c.parcels[1:]
	}
	return nil
}

// collect brings the blocks of a band to rank 0, which writes them. A signal has
// to wait until it is done. Collective.
func (p *part) collect(ctx context.Context, mem []byte) error {
	ctx = context.WithoutCancel(ctx)
	if p.world.Rank > 0 {
		for chunk := range slices.Chunk(mem, chunkSize) {
			if err := p.transfer(ctx, p.world.Send, chunk, 0); err != nil {
				return err
			}
		}
		return nil
	}
	failed := p.write(p.block(0), 0, mem)
	buf := <-p.chunks
	defer func() { p.chunks <- buf }()
	for rank := 1; rank < p.world.Size; rank++ {
		r := p.block(rank)
		n := r.Rows() * r.Cols() * int64(p.spec.Type.Size())
		for at := int64(0); at < n; at += chunkSize {
			chunk := buf[:min(chunkSize, n-at)]
			if err := p.transfer(ctx, p.world.Receive, chunk, rank); err != nil {
				return err
			}
			if failed == nil {
				failed = p.write(r, at, chunk)
			}
		}
	}
	return failed
}

// write writes bytes of the block r of C, from at on.
func (p *part) write(r tiling.Rect, at int64, b []byte) error {
	size, n := int64(p.spec.Type.Size()), p.spec.B.Cols
	run := r.Cols() * size // what is contiguous in the file
	if r.Cols() == n {
		run *= r.Rows()
	}
	for len(b) > 0 {
		y, x := at/run, at%run
		m := min(run-x, int64(len(b)))
		if _, err := p.dest.File().WriteAt(b[:m], p.dest.Offset+((r.R0+y)*n+r.C0)*size+x); err != nil {
			return p.dest.WriteError(err)
		}
		b, at = b[m:], at+m
	}
	return nil
}
