package batch

import (
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestAJobHasWhatItsLineSays(t *testing.T) {
	jobs, problems := readAll(t, `
# of the night
{"id": "x", "a": "A.npy", "b": "B.npy", "c0": "D.npy", "out": "C.npy", "alpha": 2, "beta": -0.5,
`+`{"id": "x", "a": "A.npy", "b": "B.npy", "c0": "D.npy", "out": "C.npy", "alpha": 2, "beta": -0.5, "trans_a": true, "trans_b": true, "dtype": "float32", "verify": "exact", "priority": 9, "after": ["y", "z"]}
{"a": "A.npy", "b": "B.npy", "out": "E.npy", "c0": null}`)
	if want := []string{"3: is not a whole JSON object"}; !reflect.DeepEqual(problems, want) {
		t.Errorf("problems %q, want %q", problems, want)
	}
	want := []*Job{
		{Seq: 2, Line: 4, ID: "x", A: "A.npy", B: "B.npy", C0: "D.npy", Out: "C.npy", Alpha: 2, Beta: -0.5, TransA: true, TransB: true,
			DType: "float32", Verify: "exact", Priority: 9, After: []string{"y", "z"}},
		{Seq: 3, Line: 5, ID: "E.npy", A: "A.npy", B: "B.npy", Out: "E.npy", Alpha: 1, Priority: 5},
	}
	if !reflect.DeepEqual(jobs, want) {
		t.Errorf("got %+v, want %+v", jobs, want)
	}
}

func TestAllThatIsWrongWithALineIsFound(t *testing.T) {
	const rest = `"a": "A", "b": "B", "out": "C"`
	for _, c := range []struct{ line, want string }{
		{`{` + rest + `, "aplha": 2}`, `1: has the unknown field "aplha": want id, a, b, c0, out, alpha, beta, trans_a, trans_b, dtype, verify, priority, after`},
		{`{` + rest + `, "Trans-A": true}`, `1: has the unknown field "Trans-A": did you mean "trans_a"?`},
		{`{"a": "A", "b": "B", "output": "C"}`, `1: has the unknown field "output": did you mean "out"?|1: has no field "out"`},
		{`{` + rest + `, "alpha": "2"}`, `1: field "alpha" is "2": want a number`},
		{`{` + rest + `, "priority": 2.5}`, `1: field "priority" is 2.5: want an integer from 0 to 9`},
		{`{` + rest + `, "priority": 10}`, `1: field "priority" is 10: want an integer from 0 to 9`},
		{`{` + rest + `, "after": "x"}`, `1: field "after" is "x": want an array of ids`},
		{`{` + rest + `, "dtype": "f8"}`, `1: field "dtype" is "f8": want "float64" or "float32"`},
		{`{` + rest + `, "verify": "yes"}`, `1: field "verify" is "yes": want "freivalds", "gonum", "exact" or "none"`},
		{`{` + rest + `, "beta": 1}`, `1: has a "beta" of 1 and no "c0"`},
		{`{` + rest + `, "c0": "D"}`, `1: has a "c0" and no "beta"`},
		{`{` + rest + `, "a": "B"}`, `1: has the field "a" twice`},
		{`{}`, `1: has no field "a"|1: has no field "b"|1: has no field "out"`},
		{`{` + rest + `} {}`, `1: goes on after its JSON object: want one job on each line`},
		{`{` + rest + `,}`, `1: is not valid JSON: invalid character ',' after object key:value pair|1: is not valid JSON: invalid character '}' looking for beginning of object key string`},
		{`["A", "B"]`, `1: is not a JSON object: want one such as {"a": "A.npy", "b": "B.npy", "out": "C.npy"}`},
		{`{"a": "` + strings.Repeat("A", maxLine) + `"}`, `1: has more than 1048576 bytes`},
	} {
		_, problems := readAll(t, c.line+"\n")
		got := strings.Join(problems, "|")
		if ok := got == c.want; !ok && !(strings.Contains(c.want, "not valid JSON") && strings.HasPrefix(got, "1: is not valid JSON")) {
			t.Errorf("%.80s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestALineThatIsTooLongDoesNotHideTheNext(t *testing.T) {
	jobs, problems := readAll(t, strings.Repeat(" ", maxLine+1)+"\n"+`{"a": "A", "b": "B", "out": "C"}`)
	if len(problems) != 1 || len(jobs) != 1 || jobs[0].Line != 2 {
		t.Errorf("got %v, %q", jobs, problems)
	}
}

// TestACommandIsWhatTheShellReads has a shell take the words apart.
func TestACommandIsWhatTheShellReads(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	j := &Job{A: "it's", B: "a b\t\n\\'é", C0: "-c", Out: "$(x)", Alpha: 0.1, Beta: 1, TransA: true, DType: "float32"}
	if strings.ContainsAny(j.Command(), "\t\n") {
		t.Errorf("%q is more than one column", j.Command())
	}
	cmd := exec.Command(shell, "-c", `matmul() { printf '%s\0' "$@"; }; `+j.Command())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	want := []string{"run", j.A, j.B, "-o", j.Out, "--alpha", "0.1", "--beta", "1", "--c0", j.C0, "--trans-a", "--dtype", "float32", ""}
	if got := strings.Split(string(out), "\x00"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func FuzzNoLineMakesTheReaderFail(f *testing.F) {
	f.Add(`{"a": "A", "b": "B", "out": "C", "after": ["x"], "priority": 3}`)
	f.Add("{\"a\": 1e999}\n\n#\n{")
	f.Fuzz(func(t *testing.T, list string) {
		jobs, problems := readAll(t, list)
		seq := 0
		for _, j := range jobs {
			if j.A == "" || j.B == "" || j.Out == "" || j.ID == "" || j.Priority < 0 || j.Priority >= Priorities || j.Seq <= seq {
				t.Errorf("%+v", j)
			}
			seq = j.Seq
		}
		if lines := strings.Count(list, "\n") + 1; seq > lines || len(jobs) > lines {
			t.Errorf("%d jobs on %d lines, and problems %q", len(jobs), lines, problems)
		}
		NewChecker(itself).All(jobs)
	})
}
