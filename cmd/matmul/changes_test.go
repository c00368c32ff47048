package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// changes are what may happen to an input while it is in use, by name.
var changes = map[string]func(c *change) error{
	"truncated": func(c *change) error { return os.Truncate(c.path, c.rng.Int64N(int64(len(c.now)))) },
	"extended":  func(c *change) error { return os.Truncate(c.path, int64(len(c.now))+1+c.rng.Int64N(1<<20)) },
	"removed":   func(c *change) error { return os.Remove(c.path) },
	"replaced": func(c *change) error {
		if err := os.WriteFile(c.path+".new", c.then, 0o666); err != nil {
			return err
		}
		return os.Rename(c.path+".new", c.path)
	},
	"rewritten":                  func(c *change) error { return c.rewrite(0) },
	"rewritten after it was cut": func(c *change) error { return c.rewrite(os.O_TRUNC) },
}

// A change is one to be made to an input.
type change struct {
	rng       *rand.Rand
	path      string
	now, then []byte // the contents before, and what a new file has
}

// rewrite writes the new contents over the old ones, in a few pieces.
func (c *change) rewrite(flag int) error {
	f, err := os.OpenFile(c.path, os.O_WRONLY|flag, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	pieces := 1 + c.rng.IntN(4)
	for i := range pieces {
		if i > 0 {
			time.Sleep(time.Duration(c.rng.Int64N(int64(3 * time.Millisecond))))
		}
		from, to := i*len(c.then)/pieces, (i+1)*len(c.then)/pieces
		if _, err := f.WriteAt(c.then[from:to], int64(from)); err != nil {
			return err
		}
	}
	return nil
}

// TestInputsThatChange changes an input at a random moment of a run, in a random
// way: the result is the product of what was opened, or the input is named in
// one line.
func TestInputsThatChange(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	inputs := []string{"a.npy", "b.npy", "c0.npy"}
	contents := map[string][2][]byte{}
	for i, name := range inputs {
		var both [2][]byte
		for j, d := range []string{dir, other} {
			runCommand(t, d, "gen", "-o", name, "--rows", "400", "--cols", "400", "--seed", strconv.Itoa(10*i+j+1))
			b, err := os.ReadFile(filepath.Join(d, name))
			if err != nil {
				t.Fatal(err)
			}
			both[j] = b
		}
		contents[name] = both
	}
	args := func(verify string, segment int) []string {
		return []string{"run", "a.npy", "b.npy", "--c0", "c0.npy", "--beta", "0.5", "-o", "c.npy", "--workers", "2", "--isa", "generic",
			"--verify", verify, "--segment", []string{"memfd", "posix", "sysv", "file"}[segment]}
	}
	out := filepath.Join(dir, "c.npy")
	product := func() string {
		runCommand(t, dir, args("exact", 0)...)
		defer os.Remove(out)
		return sum(t, out)
	}
	right := map[string]string{"": product()} // by the input that is another
	for _, name := range inputs {
		put := func(i int) {
			if err := os.WriteFile(filepath.Join(dir, name), contents[name][i], 0o666); err != nil {
				t.Fatal(err)
			}
		}
		put(1)
		right[name] = product()
		put(0)
	}
	// How long a run takes, to change inputs during all of it.
	begin := time.Now()
	runCommand(t, dir, args("none", 0)...)
	length := time.Since(begin)
	os.Remove(out)

	var names []string
	for name := range changes {
		names = append(names, name)
	}
	slices.Sort(names)
	outcomes := map[string]int{}
	from, to := runs(t, 20, 1000)
	for n := from; n <= to; n++ {
		rng := rand.New(rand.NewPCG(n, 8))
		name, how := inputs[rng.IntN(3)], names[rng.IntN(len(names))]
		verify := []string{"none", "freivalds", "gonum"}[rng.IntN(3)]
		c := &change{rng: rng, path: filepath.Join(dir, name), now: contents[name][0], then: contents[name][1]}
		r := start(t, dir, args(verify, rng.IntN(4))...)
		time.Sleep(time.Duration(rng.Int64N(int64(length * 5 / 4))))
		if err := changes[how](c); err != nil {
			t.Fatal(err)
		}
		code, said := r.wait(), r.stderr.String()
		outcome := "the product of the inputs before"
		got := ""
		if exists(out) {
			got = sum(t, out)
		}
		switch {
		case code == 0 && got == right[""]:
		case code == 0 && got == right[name] && (strings.HasPrefix(how, "rewritten") || how == "replaced"):
			outcome = "the product of the inputs after"
		case code == exitInput && got == "" && strings.HasPrefix(said, "matmul: "+name+": ") && strings.Count(said, "\n") == 1:
			outcome = "refused"
		default:
			t.Errorf("run %d: %s %s: exit status %d, C has the SHA-256 %q, want %q: %s", n, name, how, code, got, right[""], said)
			outcome = "WRONG"
		}
		outcomes[outcome]++
		if err := os.WriteFile(c.path, c.now, 0o666); err != nil {
			t.Fatal(err)
		}
		if code == 0 {
			r.left(testPatience, "c.npy")
		} else {
			r.left(testPatience)
		}
		os.Remove(out)
	}
	t.Logf("runs %d to %d, one change in each: %s; SHA-256 before %s, after %v", from, to, fmt.Sprint(outcomes), right[""], right)
	if outcomes["refused"] == 0 {
		t.Error("no change was noticed: this shows nothing")
	}
}
