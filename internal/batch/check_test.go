package batch

import (
	"fmt"
	"strings"
	"testing"
)

// list makes a list of lines "id a b out after...".
func list(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := strings.Fields(l)
		fmt.Fprintf(&b, `{"id": %q, "a": %q, "b": %q, "out": %q, "after": [`, f[0], f[1], f[2], f[3])
		for i, id := range f[4:] {
			b.WriteString(strings.Repeat(", ", min(i, 1)))
			fmt.Fprintf(&b, "%q", id)
		}
		b.WriteString("]}\n")
	}
	return b.String()
}

func TestWhatIsWrongWithJobsTogetherIsFoundAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ list, want string }{
		"nothing":             {list("1 A B C", "2 C D E 1", "3 E C F 2"), ""},
		"the same id":         {list("1 A B C", "1 A B D"), `2: has the id "1", as line 1 has`},
		"the same output":     {list("1 A B C", "2 A B C"), `2: writes C, as line 1 does`},
		"after nobody":        {list("1 A B C 7"), `1: comes after "7", which is no job's id`},
		"after itself":        {list("1 A B C 1"), `1: comes after itself: 1 after 1`},
		"a circle":            {list("1 A B C 3", "2 A B D 1", "3 A B E 2"), `1: comes after itself: 1 after 3 after 2 after 1`},
		"two circles":         {list("1 A B C 2", "2 A B D 1", "3 A B E 4", "4 A B F 3"), `1: comes after itself: 1 after 2 after 1|3: comes after itself: 3 after 4 after 3`},
		"reads what it makes": {list("1 A B A"), `1: writes A, which it reads`},
		"reads too early":     {list("1 A B C", "2 C B D"), `2: reads C, which line 1 writes: add "1" to its "after"`},
		"writes what is read": {list("1 A B C", "2 C C A"), `1: reads A, which line 2 writes: add "2" to its "after"|2: reads C, which line 1 writes: add "1" to its "after"|2: reads C, which line 1 writes: add "1" to its "after"`},
		"several":             {list("1 A B C 8", "1 A B C 9"), `1: comes after "8", which is no job's id|2: has the id "1", as line 1 has|2: writes C, as line 1 does|2: comes after "9", which is no job's id`},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, _ := readAll(t, c.list)
			var got []string
			for _, p := range NewChecker(itself).All(jobs) {
				got = append(got, p.Error())
			}
			if strings.Join(got, "|") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, "|"), c.want)
			}
		})
	}
}

func TestFilesAreKnownByWhatTheirNamesHaveInCommon(t *testing.T) {
	jobs, _ := readAll(t, list("1 A B C", "2 ./A B ./C"))
	same := func(path string) string { return strings.TrimPrefix(path, "./") }
	if got := NewChecker(same).All(jobs); len(got) != 1 || got[0].Error() != "2: writes ./C, as line 1 does" {
		t.Errorf("got %v", got)
	}
}

func TestAJobThatArrivesIsCheckedAgainstThoseBefore(t *testing.T) {
	jobs, _ := readAll(t, list("1 A B C", "2 C B D", "3 A B D 4", "2 C B D 1", "4 X Y A", "5 D D F 2"))
	c := NewChecker(itself)
	var got []string
	for _, j := range jobs {
		for _, p := range c.Arrive(j) {
			got = append(got, p.Error())
		}
	}
	want := `2: reads C, which line 1 writes: add "1" to its "after"|3: comes after "4", which is no earlier job's id|5: writes A, which line 1 reads`
	if strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
}
