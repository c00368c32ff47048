// Package elem names the types in which matrix elements are stored, and
// converts stored elements to the two types that matmul computes in.
//
// Contract: a floating-point element is rounded once, to the nearest value of
// the target type (ties to even); an integer or boolean is first converted to
// float64, which must be exact, and then rounded like any float64. Nothing
// here trusts its bytes: every bit pattern is a value or a reported error.
package elem

import "fmt"

// Type is the type of a stored element. Only [Float64] and [Float32] are also
// types to compute in; see [Type.Computes].
type Type uint8

// The stored types. The zero value is no type.
const (
	Invalid Type = iota
	Float64
	Float32
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Bool
)

// Float is the set of types that matmul computes in.
type Float interface{ float32 | float64 }

var types = [...]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	Float64: {"float64", 8}, Float32: {"float32", 4},
	Int8: {"int8", 1}, Int16: {"int16", 2}, Int32: {"int32", 4}, Int64: {"int64", 8},
	Uint8: {"uint8", 1}, Uint16: {"uint16", 2}, Uint32: {"uint32", 4}, Uint64: {"uint64", 8},
	Bool: {"bool", 1},
}

// Valid reports whether t names a type.
func (t Type) Valid() bool { return t > Invalid && int(t) < len(types) }

// Computes reports whether matmul computes in t: float64 or float32.
func (t Type) Computes() bool { return t == Float64 || t == Float32 }

// Size returns the bytes that one element takes, 0 for an invalid type.
func (t Type) Size() int {
	if !t.Valid() {
		return 0
	}
	return types[t].size
}

// String returns NumPy's name of the type, such as "float64".
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("elem.Type(%d)", uint8(t))
	}
	return types[t].name
}

// Parse returns the type to compute in that name spells: "float64" or
// "float32".
func Parse(name string) (Type, error) {
	switch name {
	case "float64":
		return Float64, nil
	case "float32":
		return Float32, nil
	}
	return Invalid, fmt.Errorf("unknown element type %q: want float64 or float32", name)
}

// Of returns the Type of T.
func Of[T Float]() Type {
	var z T
	if _, ok := any(z).(float32); ok {
		return Float32
	}
	return Float64
}

// Widest returns the type that a computation on operands of the given types
// uses unless told otherwise: float32 if all of them are float32, else float64
// (integers and booleans count as float64).
func Widest(ts ...Type) Type {
	for _, t := range ts {
		if t != Float32 {
			return Float64
		}
	}
	return Float32
}
