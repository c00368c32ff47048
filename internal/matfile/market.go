package matfile

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"matmul/internal/elem"
)

// A Matrix Market file begins with a line of five words,
//
//	%%MatrixMarket matrix array real|integer general|symmetric|skew-symmetric
//
// then lines that begin with %, a line with the numbers of rows and columns, and
// the elements in the order of columns: all of them, or those on and below the
// diagonal if it is symmetric, or those below it if it is skew-symmetric. See
// Boisvert, Pozo and Remington, The Matrix Market Exchange Formats, NISTIR 5935.

// A symmetry says which elements of a Matrix Market file stand for others.
type symmetry uint8

const (
	general symmetry = iota
	symmetric
	skewSymmetric
)

var symmetries = map[string]symmetry{"general": general, "symmetric": symmetric, "skew-symmetric": skewSymmetric}

// A market is what a Matrix Market file says of itself.
type market struct {
	rows, cols int64
	integer    bool
	symmetry   symmetry
}

// firstRow returns the row of the first element that is stored of column j.
func (m *market) firstRow(j int64) int64 {
	switch m.symmetry {
	case symmetric:
		return j
	case skewSymmetric:
		return min(j+1, m.rows)
	}
	return 0
}

// decodeMarket reads a Matrix Market file into c.
func decodeMarket(r *bufio.Reader, c *scratch) (Info, error) {
	in, m, err := readMarket(r, c)
	if err == nil && m.symmetry != general {
		err = c.mirror(m.rows, m.symmetry == skewSymmetric)
	}
	return in, err
}

// A seeker is a sink that takes elements anywhere.
type seeker interface {
	// seek makes put go on with element at, in the order of columns.
	seek(at int64)
}

// readMarket reads the elements that are stored in a Matrix Market file. The sink
// must be a seeker if the symmetry is not general.
func readMarket(r *bufio.Reader, sink textSink) (Info, market, error) {
	t := newTextReader(r, sink)
	m, err := t.marketHead()
	if err != nil {
		return Info{}, m, err
	}
	for j := int64(0); j < m.cols && m.rows > 0; j++ {
		if m.symmetry != general {
			if err := t.flush(); err != nil {
				return Info{}, m, err
			}
			sink.(seeker).seek(j*m.rows + m.firstRow(j))
		}
		if err := t.column(&m, j); err != nil {
			return Info{}, m, err
		}
	}
	if err := t.flush(); err != nil {
		return Info{}, m, err
	}
	word, err := t.word()
	if err == nil && word != nil {
		err = &Error{Problem: fmt.Sprintf("goes on after its matrix, with %s", excerpt(string(word))), Want: m.described()}
	}
	return sink.info(m.rows, m.cols, true), m, err
}

// described says what has to follow the shape.
func (m *market) described() string { return fmt.Sprintf("the elements of (%d, %d)", m.rows, m.cols) }

// column reads the elements that are stored of column j.
func (t *textReader) column(m *market, j int64) error {
	for i := m.firstRow(j); i < m.rows; i++ {
		v, err := t.element(m, i, j)
		if err == nil {
			err = t.add(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element reads the element in row i of column j.
func (t *textReader) element(m *market, i, j int64) (float64, error) {
	word, err := t.word()
	switch {
	case err != nil:
		return 0, err
	case word == nil:
		return 0, &Error{Problem: fmt.Sprintf("ends before the element in row %d, column %d", i, j),
			Want: m.described(), Advice: "it is truncated: write or copy it again"}
	}
	parse, want := parseNumber, "a real number"
	if m.integer {
		parse, want = parseInteger, "an integer, as its first line says"
	}
	v, err := parse(word)
	if err == nil {
		return v, nil
	}
	if errors.Is(err, errTooLarge) {
		want = "a number that float64 holds"
	}
	return 0, &Error{Problem: fmt.Sprintf("has %s as the element in row %d, column %d", excerpt(string(word)), i, j), Want: want}
}

// word returns the next word in this line or a later one, nil at the end.
func (t *textReader) word() ([]byte, error) {
	for {
		field, end, err := t.next()
		if err != nil || len(field) > 0 {
			return field, err
		}
		if end == 0 {
			return nil, nil
		}
	}
}

// marketHead reads the first line and the shape.
func (t *textReader) marketHead() (m market, err error) {
	words, err := t.headLine()
	if err != nil {
		return m, err
	}
	if m, err = parseBanner(words); err != nil {
		return m, err
	}
	more, err := t.startLine('%')
	if err != nil {
		return m, err
	}
	if !more {
		return m, &Error{Problem: "ends before the shape of its matrix", Want: "a line such as 3 4", Advice: "it is truncated: write or copy it again"}
	}
	return m, t.marketShape(&m)
}

// marketShape reads the line of the shape.
func (t *textReader) marketShape(m *market) error {
	line := t.line
	words, err := t.headLine()
	if err != nil {
		return err
	}
	if len(words) == 2 {
		m.rows, err = parseLength(words[0])
		if err == nil {
			m.cols, err = parseLength(words[1])
		}
	}
	if len(words) != 2 || err != nil {
		return &Error{Problem: fmt.Sprintf("has %s in line %d", excerpt(strings.Join(words, " ")), line), Want: "the numbers of rows and columns, such as 3 4"}
	}
	if _, ok := fileSize(0, m.rows, m.cols, elem.Float64); !ok {
		return &Error{Problem: fmt.Sprintf("has the shape (%d, %d), which is more than 2^63 bytes", m.rows, m.cols)}
	}
	if m.symmetry != general && m.rows != m.cols {
		return &Error{Problem: fmt.Sprintf("is symmetric and has the shape (%d, %d)", m.rows, m.cols), Want: "a square one"}
	}
	return nil
}

func parseLength(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// headLine returns the words of a line, in small letters.
func (t *textReader) headLine() ([]string, error) {
	line, whole, err := t.firstLine()
	if err != nil {
		return nil, err
	}
	if !whole {
		return nil, &Error{Problem: fmt.Sprintf("has a line %d of more than %d bytes", t.line, len(line)), Want: "a Matrix Market file"}
	}
	words := strings.Fields(strings.ToLower(string(line)))
	return words, t.skipLine()
}

// parseBanner reads the first line.
func parseBanner(words []string) (m market, err error) {
	if len(words) == 0 || words[0] != strings.ToLower(marketBanner) {
		return m, &Error{Problem: fmt.Sprintf("is no Matrix Market file: it begins with %s", excerpt(strings.Join(words, " "))), Want: marketBanner}
	}
	if len(words) != 5 {
		return m, &Error{Problem: fmt.Sprintf("has %d words in its first line", len(words)), Want: marketBanner + " matrix array real general, or the like"}
	}
	object, format, field := words[1], words[2], words[3]
	var known bool
	m.symmetry, known = symmetries[words[4]]
	m.integer = field == "integer"
	switch {
	case object != "matrix":
		return m, &Error{Problem: "holds the Matrix Market object " + excerpt(object), Want: "a matrix"}
	case format == "coordinate":
		return m, &Error{Problem: "is a sparse matrix (Matrix Market coordinate)", Want: "a dense one (array)"}
	case format != "array":
		return m, &Error{Problem: "has the Matrix Market format " + excerpt(format), Want: "array"}
	case field == "complex":
		return m, &Error{Problem: "holds complex numbers", Want: "real or integer", Advice: "save the real and the imaginary part as two matrices"}
	case !m.integer && field != "real":
		return m, &Error{Problem: "holds elements that are " + excerpt(field), Want: "real or integer"}
	case !known:
		return m, &Error{Problem: "has the symmetry " + excerpt(words[4]), Want: "general, symmetric or skew-symmetric"}
	}
	return m, nil
}
