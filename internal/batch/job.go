package batch

import (
	"strconv"
	"strings"
)

// A Job is one product of a list: C = α·op(A)·op(B) + β·C₀.
type Job struct {
	Seq  int // its number in the list, from 1
	Line int // where it stands there, from 1

	ID          string // the output's name unless the list says otherwise
	A, B, C0    string // paths; C0 is "" if there is none
	Out         string
	Alpha, Beta float64
	TransA      bool
	TransB      bool
	DType       string // "" for the widest of the operands
	Verify      string // "" for what holds for all
	Priority    int    // 0 to 9; 9 first
	After       []string
}

// DefaultPriority is that of a job that does not say.
const DefaultPriority = 5

// Priorities is the number of priorities: 0 to 9.
const Priorities = 10

// Inputs returns the paths of what the job reads.
func (j *Job) Inputs() []string {
	if j.C0 == "" {
		return []string{j.A, j.B}
	}
	return []string{j.A, j.B, j.C0}
}

// Command returns the command that does the job by itself, for a POSIX shell.
// It says all that the bits of the output depend on, so that a job that was
// changed is not taken for what it was.
func (j *Job) Command() string {
	words := []string{"matmul", "run", quote(j.A), quote(j.B), "-o", quote(j.Out)}
	number := func(flag string, v, usual float64) {
		if v != usual {
			words = append(words, flag, strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	number("--alpha", j.Alpha, 1)
	if j.C0 != "" {
		words = append(words, "--beta", strconv.FormatFloat(j.Beta, 'g', -1, 64), "--c0", quote(j.C0))
	}
	if j.TransA {
		words = append(words, "--trans-a")
	}
	if j.TransB {
		words = append(words, "--trans-b")
	}
	if j.DType != "" {
		words = append(words, "--dtype", j.DType)
	}
	if j.Verify != "" {
		words = append(words, "--verify", j.Verify)
	}
	return strings.Join(words, " ")
}

// plain are the characters besides letters and digits that mean nothing to a
// shell.
const plain = "@%+=:,./-_"

// quote returns a word as a shell reads it, on one line and without tabs.
func quote(s string) string {
	simple, control := s != "" && s[0] != '-', false
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		simple = simple && (letter || strings.IndexByte(plain, c) >= 0)
		control = control || c < ' ' || c == 0x7f
	}
	switch {
	case simple:
		return s
	case !control:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for _, c := range []byte(s) {
		switch {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatInt(int64(c)+0x100, 16)[1:])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
