package matfile

import (
	"fmt"
	"strconv"
	"strings"
)

// A literalParser reads literals by recursive descent. Its methods begin at
// pos and leave it behind what they read.
type literalParser struct {
	src string
	pos int
}

func (p *literalParser) unexpected(want string) error {
	return &syntaxError{offset: p.pos, near: p.src[p.pos:], want: want}
}

func (p *literalParser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n\f", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// next returns the first byte after white space, 0 at the end.
func (p *literalParser) next() byte {
	p.space()
	if p.pos == len(p.src) {
		return 0
	}
	return p.src[p.pos]
}

// accept steps over c if it comes next.
func (p *literalParser) accept(c byte) bool {
	if p.next() != c || p.pos == len(p.src) {
		return false
	}
	p.pos++
	return true
}

func (p *literalParser) value(depth int) (literal, error) {
	c := p.next()
	if depth > maxDepth {
		return literal{}, p.unexpected("a value nested less deeply")
	}
	switch {
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c == '-' || isDigit(c):
		return p.integer()
	case c == '(':
		return p.tuple(depth)
	case c == '[':
		return p.sequence(listLiteral, ']', depth)
	case c == '{':
		return p.dict(depth)
	}
	return p.word()
}

// quoted reads a string. A backslash keeps the character after it from
// ending the string and is not interpreted: no name or type that is accepted
// has one.
func (p *literalParser) quoted(quote byte) (literal, error) {
	start := p.pos + 1
	for i := start; i < len(p.src) && p.src[i] != '\n'; i++ {
		switch p.src[i] {
		case '\\':
			i++
		case quote:
			p.pos = i + 1
			return literal{kind: stringLiteral, text: p.src[start:i]}, nil
		}
	}
	return literal{}, p.unexpected("a string with an end")
}

// integer reads a decimal integer, with the L that Python 2 appended to long
// ones.
func (p *literalParser) integer() (literal, error) {
	start := p.pos
	if p.src[p.pos] == '-' {
		p.pos++
	}
	digits := p.pos
	for p.pos < len(p.src) && isDigit(p.src[p.pos]) {
		p.pos++
	}
	v := literal{kind: intLiteral, text: p.src[start:p.pos]}
	if n := p.pos - digits; n == 0 || n > 1 && p.src[digits] == '0' {
		p.pos = start
		return literal{}, p.unexpected("a decimal integer")
	}
	if p.pos < len(p.src) && p.src[p.pos] == 'L' {
		p.pos++
	}
	var err error
	v.num, err = strconv.ParseInt(v.text, 10, 64)
	v.huge = err != nil
	return v, nil
}

func (p *literalParser) word() (literal, error) {
	end := p.pos
	for end < len(p.src) && isWord(p.src[end]) {
		end++
	}
	var v literal
	switch p.src[p.pos:end] {
	case "True":
		v = literal{kind: boolLiteral, truth: true}
	case "False":
		v = literal{kind: boolLiteral}
	case "None":
		v = literal{kind: noneLiteral}
	default:
		return literal{}, p.unexpected("a literal")
	}
	p.pos = end
	return v, nil
}

// tuple reads (), (1,), (1, 2), and (1), which is not a tuple but 1.
func (p *literalParser) tuple(depth int) (literal, error) {
	v, err := p.sequence(tupleLiteral, ')', depth)
	if err == nil && len(v.items) == 1 && !p.endedInComma() {
		return v.items[0], nil
	}
	return v, err
}

// endedInComma reports whether a comma stands before the bracket just read.
func (p *literalParser) endedInComma() bool {
	before := strings.TrimRight(p.src[:p.pos-1], " \t\r\n\f")
	return strings.HasSuffix(before, ",")
}

// sequence reads an opening bracket, values with commas between them and
// perhaps after the last, and end.
func (p *literalParser) sequence(kind literalKind, end byte, depth int) (literal, error) {
	p.pos++
	v := literal{kind: kind}
	for !p.accept(end) {
		item, err := p.value(depth + 1)
		if err != nil {
			return literal{}, err
		}
		v.items = append(v.items, item)
		if !p.accept(',') && p.next() != end {
			return literal{}, p.unexpected(fmt.Sprintf("',' or '%c'", end))
		}
	}
	return v, nil
}

func (p *literalParser) dict(depth int) (literal, error) {
	p.pos++
	v := literal{kind: dictLiteral}
	for !p.accept('}') {
		key, err := p.value(depth + 1)
		if err != nil {
			return literal{}, err
		}
		if !p.accept(':') {
			return literal{}, p.unexpected("':'")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return literal{}, err
		}
		v.items = append(v.items, key, item)
		if !p.accept(',') && p.next() != '}' {
			return literal{}, p.unexpected("',' or '}'")
		}
	}
	return v, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}
