package matfile

import (
	"fmt"
	"os"

	"matmul/internal/elem"
	"matmul/internal/sys"
)

// openUnnamed opens a new file in dir that has no name, or none any more.
func openUnnamed(path, shown string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := sys.OpenUnnamed(int(dir.Fd()))
	if err != nil {
		part := partName()
		if fd, err = sys.OpenNamed(int(dir.Fd()), part); err != nil {
			return nil, err
		}
		if err = sys.Unlink(int(dir.Fd()), part); err != nil {
			os.NewFile(uintptr(fd), shown).Close()
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), shown), nil
}

// A scratch is a file without a name that the elements of a matrix are decoded
// into, in the order in which they are stored.
type scratch struct {
	opener  *Opener
	file    *os.File
	name    string // of what is decoded
	at      int64  // where Write goes on
	granted int64  // bytes that the file may have
}

// newScratch makes room for a copy of what is named.
func (o *Opener) newScratch(name string) (*scratch, error) {
	f, err := openUnnamed(o.Dir, name)
	if err != nil {
		return nil, fmt.Errorf("make a copy of %s in %s: %w", printable(name), printable(o.Dir), bare(err))
	}
	return &scratch{opener: o, file: f, name: name}, nil
}

// grantStep is by how much a copy of unknown size may grow before it is asked
// again whether there is room.
const grantStep = 64 << 20

// grant asks for room, so that the file may have size bytes.
func (c *scratch) grant(size int64) error {
	if size <= c.granted {
		return nil
	}
	if c.opener.Afford != nil {
		if err := c.opener.Afford(size, size-c.granted); err != nil {
			return err
		}
	}
	c.granted = size
	return nil
}

// Write writes bytes after those of the last Write.
func (c *scratch) Write(b []byte) (int, error) {
	if end := c.at + int64(len(b)); end > c.granted {
		if err := c.grant(end + grantStep - 1 - (end-1)%grantStep); err != nil {
			return 0, err
		}
	}
	n, err := c.file.WriteAt(b, c.at)
	c.at += int64(n)
	if err != nil {
		err = c.writeError(err)
	}
	return n, err
}

func (c *scratch) writeError(err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("make a copy of %s in %s: %w: %w", printable(c.name), printable(c.opener.Dir), ErrNoSpace, bare(err))
	}
	return fmt.Errorf("make a copy of %s in %s: %w", printable(c.name), printable(c.opener.Dir), bare(err))
}

// textType is the type that numbers in text become.
func (c *scratch) textType() elem.Type {
	if c.opener.Text == elem.Float32 {
		return elem.Float32
	}
	return elem.Float64
}

// seek makes [scratch.put] go on with element at.
func (c *scratch) seek(at int64) { c.at = at * int64(c.textType().Size()) }

// put writes elements after those of the last put.
func (c *scratch) put(elements []float64) error {
	b := elem.Bytes(elements)
	if c.textType() == elem.Float32 {
		narrow := make([]float32, len(elements))
		for i, v := range elements {
			narrow[i] = float32(v)
		}
		b = elem.Bytes(narrow)
	}
	_, err := c.Write(b)
	return err
}

// info describes what has been put.
func (c *scratch) info(rows, cols int64, fortran bool) Info {
	return Info{Rows: rows, Cols: cols, Dims: 2, Elem: c.textType(), BigEndian: nativeBigEndian, Fortran: fortran}
}

// mirrorBlock is the rows and columns that mirror moves at a time.
const mirrorBlock = 256

// mirror writes what lies below the diagonal of a matrix of n columns above it,
// too, with the sign turned if negate.
func (c *scratch) mirror(n int64, negate bool) error {
	if c.textType() == elem.Float32 {
		return mirror[float32](c, n, negate)
	}
	return mirror[float64](c, n, negate)
}

func mirror[T elem.Float](c *scratch, n int64, negate bool) error {
	if err := c.file.Truncate(n * n * int64(c.textType().Size())); err != nil {
		return c.writeError(err)
	}
	m := File{Info: c.info(n, n, true), File: c.file}
	for j := int64(0); j < n; j += mirrorBlock {
		for i := j; i < n; i += mirrorBlock {
			if err := mirrorOne[T](c, &m, n, i, j, negate); err != nil {
				return err
			}
		}
	}
	return nil
}

// mirrorOne reads the block with the corner (i, j), on or below the diagonal, and
// writes what lies strictly below as rows of the block with the corner (j, i).
func mirrorOne[T elem.Float](c *scratch, m *File, n, i, j int64, negate bool) error {
	rows, cols := min(mirrorBlock, n-i), min(mirrorBlock, n-j)
	flat := *m
	flat.Rows, flat.Cols, flat.Fortran = n*n, 1, false
	block := make([]T, cols*rows)
	for q := range cols {
		if err := Read(&flat, block[q*rows:][:rows], (j+q)*n+i, rows, nil); err != nil {
			return err
		}
	}
	for p := range rows {
		line := make([]T, 0, cols) // of column i+p, its rows j to j+cols, above the diagonal
		for q := range min(cols, i+p-j) {
			v := block[q*rows+p]
			if negate {
				v = -v
			}
			line = append(line, v)
		}
		if _, err := c.file.WriteAt(elem.Bytes(line), ((i+p)*n+j)*int64(m.Elem.Size())); err != nil {
			return c.writeError(err)
		}
	}
	return nil
}
