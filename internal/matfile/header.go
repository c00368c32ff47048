package matfile

import (
	"fmt"
	"strings"

	"matmul/internal/elem"
)

// alignment is what NumPy has aligned its data to since 1.14, so that a
// mapped file can be read with any vector instruction.
const alignment = 64

// header returns the version 1 header of a little-endian matrix in C order,
// as numpy.save writes it: padded with spaces to a multiple of alignment.
func header(rows, cols int64, t elem.Type) []byte {
	dict := fmt.Sprintf("{'descr': '%s%c%d', 'fortran_order': False, 'shape': (%d, %d), }",
		orderChar(t), kindChar(t), t.Size(), rows, cols)
	const fixed = len(magic) + 4
	padding := alignment - 1 - (fixed+len(dict))%alignment
	dict += strings.Repeat(" ", padding) + "\n"
	b := append([]byte(magic), 1, 0, byte(len(dict)), byte(len(dict)>>8))
	return append(b, dict...)
}

// orderChar is '|', no order, where there is one byte.
func orderChar(t elem.Type) string {
	if t.Size() == 1 {
		return "|"
	}
	return "<"
}

// kindChar is the letter of t in a NumPy type code.
func kindChar(t elem.Type) byte {
	for code, u := range codes {
		if u == t {
			return code[0]
		}
	}
	panic("matfile: no code for " + t.String())
}
