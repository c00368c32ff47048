package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Problem is what is wrong with one line of a list.
type Problem struct {
	Line int
	Text string
}

// Error returns the line's number and what is wrong there.
func (p Problem) Error() string { return fmt.Sprintf("%d: %s", p.Line, p.Text) }

// maxLine is the longest line of a list, in bytes: far more than four paths.
const maxLine = 1 << 20

// A Reader reads the jobs of a list, JSON Lines: an object on each line. Empty
// lines and lines that begin with # are passed over.
type Reader struct {
	lines *bufio.Reader
	line  int
	seq   int
}

// NewReader returns a reader of the list r.
func NewReader(r io.Reader) *Reader { return &Reader{lines: bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next job, or all that is wrong with its line. The error is
// io.EOF behind the last one, or that of the list's reader.
func (r *Reader) Next() (*Job, []Problem, error) {
	for {
		text, long, err := r.next()
		if err != nil {
			return nil, nil, err
		}
		text = bytes.TrimSpace(text)
		if !long && (len(text) == 0 || text[0] == '#') {
			continue
		}
		r.seq++
		if long {
			return nil, []Problem{{r.line, fmt.Sprintf("has more than %d bytes", maxLine)}}, nil
		}
		j, what := parse(text)
		if len(what) == 0 {
			j.Seq, j.Line = r.seq, r.line
			return j, nil, nil
		}
		problems := make([]Problem, len(what))
		for i, w := range what {
			problems[i] = Problem{r.line, w}
		}
		return nil, problems, nil
	}
}

// next returns the next line. Of one that is too long, nothing is kept.
func (r *Reader) next() (text []byte, long bool, err error) {
	r.line++
	for {
		part, err := r.lines.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxLine; long {
			text = nil
		} else {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && (len(text) > 0 || long):
			return text, long, nil
		default:
			return text, long, err
		}
	}
}

// A field is one of a job's in a list.
type field struct {
	name string
	want string
	to   func(*Job) any // where its value goes
}

var fields = []field{
	{"id", "a string", func(j *Job) any { return &j.ID }},
	{"a", "a string, the path of A", func(j *Job) any { return &j.A }},
	{"b", "a string, the path of B", func(j *Job) any { return &j.B }},
	{"c0", "a string, the path of C0", func(j *Job) any { return &j.C0 }},
	{"out", "a string, the path of C", func(j *Job) any { return &j.Out }},
	{"alpha", "a number", func(j *Job) any { return &j.Alpha }},
	{"beta", "a number", func(j *Job) any { return &j.Beta }},
	{"trans_a", "true or false", func(j *Job) any { return &j.TransA }},
	{"trans_b", "true or false", func(j *Job) any { return &j.TransB }},
	{"dtype", `"float64" or "float32"`, func(j *Job) any { return &j.DType }},
	{"verify", `"freivalds", "gonum", "exact" or "none"`, func(j *Job) any { return &j.Verify }},
	{"priority", "an integer from 0 to 9", func(j *Job) any { return &j.Priority }},
	{"after", "an array of ids", func(j *Job) any { return &j.After }},
}

// parse reads the object of one job. A field that is null is as if it were not
// there.
func parse(text []byte) (*Job, []string) {
	j := &Job{Alpha: 1, Priority: DefaultPriority}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, []string{`is not a JSON object: want one such as {"a": "A.npy", "b": "B.npy", "out": "C.npy"}`}
	}
	var problems []string
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err == nil && ok {
			err = d.Decode(&value)
		}
		if err != nil || !ok {
			return nil, append(problems, malformed(err))
		}
		if seen[name] {
			problems = append(problems, fmt.Sprintf("has the field %q twice", name))
		}
		seen[name] = true
		if p := j.set(name, value); p != "" {
			problems = append(problems, p)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, append(problems, malformed(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, append(problems, "goes on after its JSON object: want one job on each line")
	}
	return j, append(problems, j.complete(seen["beta"])...)
}

func malformed(err error) string {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "is not a whole JSON object"
	}
	return fmt.Sprintf("is not valid JSON: %v", err)
}

// set takes a field. It returns what is wrong with it.
func (j *Job) set(name string, value json.RawMessage) string {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	switch {
	case i < 0:
		return fmt.Sprintf("has the unknown field %q%s", name, nearest(name))
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, fields[i].to(j)) != nil:
		return fmt.Sprintf("field %q is %s: want %s", name, excerpt(value), fields[i].want)
	}
	return ""
}

// complete says what a job lacks, and which of its fields are at odds.
func (j *Job) complete(beta bool) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, f := range []struct{ name, value string }{{"a", j.A}, {"b", j.B}, {"out", j.Out}} {
		if f.value == "" {
			add("has no field %q", f.name)
		}
	}
	if j.Beta != 0 && j.C0 == "" {
		add(`has a "beta" of %v and no "c0"`, j.Beta)
	}
	if j.C0 != "" && !beta {
		add(`has a "c0" and no "beta"`)
	}
	if j.Priority < 0 || j.Priority >= Priorities {
		add(`field "priority" is %d: want an integer from 0 to 9`, j.Priority)
	}
	if j.DType != "" && j.DType != "float64" && j.DType != "float32" {
		add(`field "dtype" is %q: want "float64" or "float32"`, j.DType)
	}
	if !slices.Contains([]string{"", "freivalds", "gonum", "exact", "none"}, j.Verify) {
		add(`field "verify" is %q: want "freivalds", "gonum", "exact" or "none"`, j.Verify)
	}
	if j.ID == "" {
		j.ID = j.Out
	}
	return problems
}

// excerpt returns the beginning of a value.
func excerpt(value []byte) string {
	const limit = 40
	if len(value) > limit {
		return strings.ToValidUTF8(string(value[:limit]), "") + "…"
	}
	return string(value)
}

// nearest proposes the field that an unknown name may have meant.
func nearest(name string) string {
	plain := strings.ToLower(strings.NewReplacer("-", "_", " ", "_").Replace(name))
	for _, f := range fields {
		if plain == f.name || plain == strings.ReplaceAll(f.name, "_", "") || plain == "output" && f.name == "out" {
			return fmt.Sprintf(": did you mean %q?", f.name)
		}
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return ": want " + strings.Join(names, ", ")
}
