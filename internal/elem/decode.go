package elem

import (
	"encoding/binary"
	"fmt"
	"math"
)

// native is the byte order of the machine.
var native = func() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}()

// An InexactError says that a stored integer has no exact float64.
type InexactError struct {
	Index int    // of the element, within the decoded run
	Value string // in decimal
	Type  Type   // of the stored element
}

// Error names the type and the value.
func (e *InexactError) Error() string {
	return fmt.Sprintf("%s value %s is not exactly representable in float64", e.Type, e.Value)
}

// Decode converts len(dst) elements of type t, stored at the start of src in
// big- or little-endian order and at any alignment, to T. It stops at the
// first integer that float64 cannot hold exactly and returns an
// [*InexactError]; what dst then holds is unspecified. It panics if src is
// shorter than len(dst) elements or t is invalid: a caller's bug. src may be
// the memory of dst itself if t has the size of T.
func Decode[T Float](dst []T, src []byte, t Type, bigEndian bool) error {
	if !t.Valid() {
		panic("elem: decode of an invalid type")
	}
	src = src[:len(dst)*t.Size()]
	order := byteOrder(bigEndian)
	if t == Of[T]() && order == native {
		if len(dst) > 0 && &src[0] != &Bytes(dst)[0] {
			copy(Bytes(dst), src)
		}
		return nil
	}
	switch t {
	case Float64:
		for i := range dst {
			dst[i] = T(math.Float64frombits(order.Uint64(src[8*i:])))
		}
	case Float32:
		for i := range dst {
			dst[i] = T(math.Float32frombits(order.Uint32(src[4*i:])))
		}
	case Int64:
		return decodeInt64(dst, src, order)
	case Uint64:
		return decodeUint64(dst, src, order)
	default:
		decodeSmall(dst, src, t, order)
	}
	return nil
}

func byteOrder(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// decodeSmall converts the types of at most 32 bits, whose every value is a
// float64.
func decodeSmall[T Float](dst []T, src []byte, t Type, order binary.ByteOrder) {
	for i := range dst {
		var v float64
		switch t {
		case Int8:
			v = float64(int8(src[i]))
		case Uint8:
			v = float64(src[i])
		case Bool:
			if src[i] != 0 {
				v = 1
			}
		case Int16:
			v = float64(int16(order.Uint16(src[2*i:])))
		case Uint16:
			v = float64(order.Uint16(src[2*i:]))
		case Int32:
			v = float64(int32(order.Uint32(src[4*i:])))
		case Uint32:
			v = float64(order.Uint32(src[4*i:]))
		}
		dst[i] = T(v)
	}
}

func decodeInt64[T Float](dst []T, src []byte, order binary.ByteOrder) error {
	for i := range dst {
		x := int64(order.Uint64(src[8*i:]))
		v := float64(x)
		// float64(1<<63-1) is 2^63, which int64 cannot hold: its conversion
		// back is not defined, so it is excluded by value.
		if v == 1<<63 || int64(v) != x {
			return &InexactError{Index: i, Value: fmt.Sprint(x), Type: Int64}
		}
		dst[i] = T(v)
	}
	return nil
}

func decodeUint64[T Float](dst []T, src []byte, order binary.ByteOrder) error {
	for i := range dst {
		x := order.Uint64(src[8*i:])
		v := float64(x)
		if v == 1<<64 || uint64(v) != x {
			return &InexactError{Index: i, Value: fmt.Sprint(x), Type: Uint64}
		}
		dst[i] = T(v)
	}
	return nil
}
