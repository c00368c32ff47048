package elem

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

func TestDecodeReadsEveryTypeInBothByteOrders(t *testing.T) {
	for _, c := range []struct {
		t    Type
		bits uint64
		want float64
	}{
		{Float64, math.Float64bits(-1.5), -1.5},
		{Float64, math.Float64bits(5e-324), 5e-324},
		{Float32, uint64(math.Float32bits(0.1)), float64(float32(0.1))},
		{Int8, 0x80, -128}, {Uint8, 0x80, 128}, {Bool, 2, 1}, {Bool, 0, 0},
		{Int16, 0x8001, -32767}, {Uint16, 0x8001, 32769},
		{Int32, 0x80000001, -2147483647}, {Uint32, 0x80000001, 2147483649},
		{Int64, 1 << 53, 1 << 53}, {Int64, 1 << 63, -(1 << 63)}, {Uint64, 1 << 63, 1 << 63},
	} {
		for _, big := range []bool{false, true} {
			var b [9]byte
			raw := b[1:] // unaligned on purpose
			if big {
				binary.BigEndian.PutUint64(raw, c.bits<<(64-8*c.t.Size()))
			} else {
				binary.LittleEndian.PutUint64(raw, c.bits)
			}
			var got [1]float64
			if err := Decode(got[:], raw, c.t, big); err != nil || got[0] != c.want {
				t.Errorf("%s big=%v: got %v, %v; want %v", c.t, big, got[0], err, c.want)
			}
			var got32 [1]float32
			if err := Decode(got32[:], raw, c.t, big); err != nil || got32[0] != float32(c.want) {
				t.Errorf("%s big=%v to float32: got %v, %v; want %v", c.t, big, got32[0], err, float32(c.want))
			}
		}
	}
}

func TestDecodeRefusesIntegersThatFloat64CannotHold(t *testing.T) {
	for _, c := range []struct {
		t    Type
		bits uint64
	}{
		{Int64, 1<<53 + 1}, {Int64, 1<<63 - 1}, {Uint64, 1<<53 + 1}, {Uint64, 1<<64 - 1},
	} {
		src := binary.LittleEndian.AppendUint64(make([]byte, 8), c.bits)
		var dst [2]float64
		err := Decode(dst[:], src, c.t, false)
		var inexact *InexactError
		if !errors.As(err, &inexact) || inexact.Index != 1 {
			t.Errorf("%s %d: got %v, want an InexactError at index 1", c.t, c.bits, err)
		}
	}
}

func TestSliceAndBytesAliasTheSameMemory(t *testing.T) {
	s := []float64{1, 2, 3}
	b := Bytes(s)
	Slice[float64](b)[1] = 7
	if s[1] != 7 || len(b) != 24 {
		t.Errorf("got %v and %d bytes", s, len(b))
	}
}

func TestWidest(t *testing.T) {
	if Widest(Float32, Float32) != Float32 || Widest(Float32, Float64) != Float64 || Widest(Int8) != Float64 {
		t.Error("float32 only when every operand is float32")
	}
}
