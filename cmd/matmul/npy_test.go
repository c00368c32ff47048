package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

// encode returns the elements of an .npy file with a descr and a shape.
func encode(descr, shape string, elements []string) ([]byte, error) {
	count := 1
	for _, s := range strings.Split(strings.Trim(shape, ","), ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		count *= n
	}
	var order binary.AppendByteOrder = binary.LittleEndian
	if descr[0] == '>' {
		order = binary.BigEndian
	}
	var b []byte
	for i := range count {
		v := 1.0
		if i < len(elements) {
			var err error
			if v, err = strconv.ParseFloat(elements[i], 64); err != nil {
				return nil, err
			}
		}
		switch descr[1:] {
		case "f8":
			b = order.AppendUint64(b, math.Float64bits(v))
		case "f4":
			b = order.AppendUint32(b, math.Float32bits(float32(v)))
		case "i8":
			b = order.AppendUint64(b, uint64(int64(v)))
		case "i4":
			b = order.AppendUint32(b, uint32(int32(v)))
		case "i2":
			b = order.AppendUint16(b, uint16(int16(v)))
		case "u1", "b1":
			b = append(b, byte(v))
		default:
			return nil, fmt.Errorf("no elements %s here", descr)
		}
	}
	return b, nil
}

// decodeText returns a file's element type, shape and elements as text.
func decodeText(path string) (string, error) {
	f, err := (&matfile.Opener{Dir: os.TempDir()}).Open(context.Background(), path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m := make([]float64, f.Rows*f.Cols)
	vectors, _ := f.Vectors()
	if f.Elem == elem.Float32 {
		narrow := make([]float32, len(m))
		err = matfile.Read(f, narrow, 0, vectors, nil)
		for i, v := range narrow {
			m[i] = float64(v)
		}
	} else {
		err = matfile.Read(f, m, 0, vectors, nil)
	}
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %dx%d", f.Elem, f.Rows, f.Cols)
	for _, v := range m {
		fmt.Fprintf(&b, " %v", v)
	}
	return b.String(), nil
}
