package journal

import (
	"fmt"

	"matmul/internal/matfile"
)

// A Job is all that the bits of C depend on. What only decides how fast they
// are there (workers, tiles, instruction set) is none of it.
type Job struct {
	M      int64  `json:"m"`
	N      int64  `json:"n"`
	K      int64  `json:"k"`
	Type   string `json:"type"` // of C
	Alpha  string `json:"alpha"`
	Beta   string `json:"beta"`
	TransA bool   `json:"trans_a"`
	TransB bool   `json:"trans_b"`

	A  matfile.Fingerprint  `json:"a"`
	B  matfile.Fingerprint  `json:"b"`
	C0 *matfile.Fingerprint `json:"c0,omitempty"` // nil if it is not read
}

// differs says in what the job of a journal is another than this one; "" if it
// is the same.
func (j Job) differs(there Job) string {
	for _, f := range []struct {
		name       string
		was, value any
	}{
		{"--alpha", there.Alpha, j.Alpha}, {"--beta", there.Beta, j.Beta},
		{"--trans-a", there.TransA, j.TransA}, {"--trans-b", there.TransB, j.TransB},
		{"the element type", there.Type, j.Type},
		{"m", there.M, j.M}, {"n", there.N, j.N}, {"k", there.K, j.K},
	} {
		if f.was != f.value {
			return fmt.Sprintf("is of another job: %s was %v, is %v", f.name, f.was, f.value)
		}
	}
	for _, in := range []struct {
		name       string
		was, value *matfile.Fingerprint
	}{{"A", &there.A, &j.A}, {"B", &there.B, &j.B}, {"C0", there.C0, j.C0}} {
		if what := changed(in.was, in.value); what != "" {
			return fmt.Sprintf("is of other inputs: the %s of %s is not what it was", what, in.name)
		}
	}
	return ""
}

// changed says what differs between two fingerprints; "" if nothing does.
func changed(a, b *matfile.Fingerprint) string {
	switch {
	case a == nil && b == nil:
		return ""
	case a == nil || b == nil:
		return "presence"
	case a.Size != b.Size:
		return "size"
	case a.Digest != b.Digest:
		return "content"
	case a.Modified != b.Modified:
		return "time of modification"
	case a.Changed != b.Changed:
		return "time of change"
	}
	return ""
}
