package matfile

import (
	"archive/zip"
	"bufio"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"

	"matmul/internal/elem"
)

// A Digest stands for the shape and the elements of a matrix within this process:
// two that differ are of different matrices, and two of different matrices differ
// but for one time in 2^64.
type Digest struct {
	rows, cols int64
	hash       uint64
}

var digestSeed = maphash.MakeSeed()

// A digester adds up the elements of a matrix, in the order of its format.
type digester struct {
	t     elem.Type
	count int64
	hash  maphash.Hash
	buf   []float64
}

func newDigest(t elem.Type) *digester {
	d := &digester{t: t}
	d.hash.SetSeed(digestSeed)
	return d
}

// put takes elements, which text gives with more digits than float32 has.
func (d *digester) put(run []float64) error {
	d.buf = append(d.buf[:0], run...)
	for i, v := range d.buf {
		if d.t == elem.Float32 {
			v = float64(float32(v))
		}
		if math.IsNaN(v) {
			v = math.NaN() // there is one
		}
		d.buf[i] = v
	}
	d.count += int64(len(run))
	_, err := d.hash.Write(elem.Bytes(d.buf))
	return err
}

func (d *digester) info(rows, cols int64, fortran bool) Info {
	return Info{Rows: rows, Cols: cols, Fortran: fortran}
}

func (d *digester) sum(rows, cols int64) Digest { return Digest{rows, cols, d.hash.Sum64()} }

// Reread returns the digest of what [Target.Write] has written to file, a matrix
// like c, by the functions that read inputs.
func (t Target) Reread(ctx context.Context, file *os.File, c Info, progress func(done, total int64)) (Digest, error) {
	st, err := file.Stat()
	if err != nil {
		return Digest{}, fmt.Errorf("examine %s: %w", printable(t.Path), bare(err))
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	r := bufio.NewReaderSize(&counter{ctx: ctx, r: io.NewSectionReader(file, 0, st.Size()), total: st.Size(), set: progress}, readBuffer)
	d := newDigest(c.Elem)
	in := c
	switch t.Format {
	case Npz:
		in, err = d.archive(ctx, file, st.Size(), t.member)
	case Npy:
		in, err = d.npy(r)
	case Raw:
		err = d.elements(r, in)
	case Market:
		in, _, err = readMarket(r, d)
	default:
		in, err = readText(r, d)
	}
	if err != nil {
		return Digest{}, fmt.Errorf("read %s again: %w", printable(t.Path), err)
	}
	return d.sum(in.Rows, in.Cols), nil
}

func (d *digester) archive(ctx context.Context, file *os.File, size int64, member string) (Info, error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return Info{}, err
	}
	m, err := findMember(z.File, member)
	if err != nil {
		return Info{}, err
	}
	content, err := m.Open()
	if err != nil {
		return Info{}, err
	}
	defer content.Close()
	return d.npy(bufio.NewReaderSize(&counter{ctx: ctx, r: content, set: func(int64, int64) {}}, readBuffer))
}

func (d *digester) npy(r io.Reader) (Info, error) {
	in, err := Parse(r)
	if err != nil {
		return in, err
	}
	return in, d.elements(r, in)
}

// elements takes the elements that in describes from r, which must then end.
func (d *digester) elements(r io.Reader, in Info) error {
	size := int64(in.Elem.Size())
	buf, run := make([]byte, runLength*size), make([]float64, runLength)
	for left := in.Rows * in.Cols; left > 0; left -= int64(len(run)) {
		run = run[:min(left, runLength)]
		b := buf[:int64(len(run))*size]
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		if err := elem.Decode(run, b, in.Elem, in.BigEndian); err != nil {
			return err
		}
		if err := d.put(run); err != nil {
			return err
		}
	}
	return wholeRead(r, &File{Info: in})
}
