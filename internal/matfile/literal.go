package matfile

import "fmt"

// The header of an .npy file is a Python dictionary of literals. Only those
// that numpy.lib.format can write are read, and no expressions: nothing is
// evaluated.

type literalKind int

const (
	stringLiteral literalKind = iota
	intLiteral
	boolLiteral
	noneLiteral
	tupleLiteral
	listLiteral
	dictLiteral
)

// A literal is a parsed Python value.
type literal struct {
	kind  literalKind
	text  string    // of a string: its contents; of an int: its digits
	num   int64     // of an int, unless huge
	huge  bool      // an int that int64 cannot hold
	truth bool      // of a bool
	items []literal // of a tuple or list; of a dict, keys and values by turns
}

// maxDepth bounds the recursion. Shapes and flat structured types need 3.
const maxDepth = 8

// A syntaxError says where a header stops being a literal.
type syntaxError struct {
	offset int
	near   string // what stands there
	want   string // what could stand there
}

func (e *syntaxError) Error() string {
	if e.near == "" {
		return fmt.Sprintf("it ends where %s should be", e.want)
	}
	return fmt.Sprintf("%s at byte %d, where %s should be", excerpt(e.near), e.offset, e.want)
}

// parseLiteral reads src as one literal with white space around it.
func parseLiteral(src string) (literal, error) {
	p := literalParser{src: src}
	v, err := p.value(0)
	if err != nil {
		return literal{}, err
	}
	if p.space(); p.pos < len(p.src) {
		return literal{}, p.unexpected("nothing more")
	}
	return v, nil
}
