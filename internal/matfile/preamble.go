package matfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// An .npy file begins with
//
//	6 bytes      "\x93NUMPY"
//	1 + 1 byte   version, major and minor
//	2 or 4 bytes length of the dictionary, little-endian: 2 in version 1
//	             the dictionary, padded, and the first element after it
const magic = "\x93NUMPY"

// maxHeader bounds the memory that a header can make us take. NumPy itself
// refuses more than 10,000 bytes unless told otherwise; version 1 cannot say
// more than this.
const maxHeader = 1<<16 - 1

// readHeader returns the dictionary and the offset of the first element.
func readHeader(r io.Reader) (string, int64, error) {
	head := make([]byte, 8, 12)
	if err := fill(r, head, 0); err != nil {
		return "", 0, err
	}
	if err := checkMagic(head); err != nil {
		return "", 0, err
	}
	width := 4
	if head[6] == 1 {
		width = 2
	}
	head = head[:8+width]
	if err := fill(r, head[8:], 8); err != nil {
		return "", 0, err
	}
	var size [4]byte
	copy(size[:], head[8:])
	n := int64(binary.LittleEndian.Uint32(size[:]))
	if n > maxHeader {
		return "", 0, &Error{Problem: fmt.Sprintf("claims a header of %d bytes", n),
			Want: fmt.Sprintf("at most %d", maxHeader), Advice: "its header is damaged"}
	}
	text := make([]byte, n)
	if err := fill(r, text, len(head)); err != nil {
		return "", 0, err
	}
	return string(text), int64(len(head)) + n, nil
}

// fill reads all of b, which begins at offset at.
func fill(r io.Reader, b []byte, at int) error {
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil
	case at+n == 0 && errors.Is(err, io.EOF):
		return &Error{Problem: "is empty", Want: "an .npy file"}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Problem: fmt.Sprintf("ends after %d bytes, inside its .npy header", at+n),
			Want: fmt.Sprintf("at least %d", at+len(b)), Advice: "it is truncated: write or copy it again"}
	}
	return fmt.Errorf("read the .npy header: %w", err)
}

func checkMagic(head []byte) error {
	if string(head[:6]) != magic {
		return &Error{Problem: fmt.Sprintf("is not an .npy file: it begins with %q", head[:6]),
			Want: fmt.Sprintf("%q", magic), Advice: "write it with numpy.save"}
	}
	if major, minor := head[6], head[7]; major < 1 || major > 3 || minor != 0 {
		return &Error{Problem: fmt.Sprintf("has the .npy version %d.%d", major, minor), Want: "1.0, 2.0 or 3.0"}
	}
	return nil
}
