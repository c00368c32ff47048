package matfile

import (
	"fmt"
	"strings"
)

// setShape sets the lengths and the dimensions from the value of 'shape'.
func (in *Info) setShape(v literal) error {
	if v.kind != tupleLiteral {
		return &Error{Problem: "has a header whose 'shape' is not a tuple", Want: "one such as (3, 4)"}
	}
	for _, n := range v.items {
		if err := checkLength(n); err != nil {
			return err
		}
	}
	in.Dims, in.Cols = len(v.items), 1
	switch in.Dims {
	case 2:
		in.Cols = v.items[1].num
		fallthrough
	case 1:
		in.Rows = v.items[0].num
		return nil
	case 0:
		return &Error{Problem: "holds a single number (shape ())", Want: "a matrix", Advice: "save array.reshape(1, 1)"}
	}
	return &Error{Problem: fmt.Sprintf("holds an array of %d dimensions %s", in.Dims, shapeText(v.items)),
		Want: "1 or 2", Advice: "save one slice, or reshape it"}
}

func checkLength(n literal) error {
	switch {
	case n.kind != intLiteral:
		return &Error{Problem: "has a shape with a length that is not an integer", Want: "one such as (3, 4)"}
	case strings.HasPrefix(n.text, "-"):
		return &Error{Problem: fmt.Sprintf("has a shape with the negative length %s", clip(n.text)), Advice: "its header is damaged"}
	case n.huge:
		return &Error{Problem: fmt.Sprintf("has a shape with the length %s, which is more than 2^63-1", clip(n.text)), Advice: "its header is damaged"}
	}
	return nil
}

// shapeText shows at most the first eight lengths of a shape.
func shapeText(items []literal) string {
	var parts []string
	for i, n := range items {
		if i == 8 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, n.text)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func clip(digits string) string {
	if len(digits) > 24 {
		return digits[:20] + "…"
	}
	return digits
}
