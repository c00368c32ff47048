package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/journal"
	"matmul/internal/matfile"
)

// A damage is done to one file: a bit flipped, or all from a byte on cut off.
type damage struct {
	name     string
	bit, cut int // one of them; the other is −1
}

// damages lists all that can be done to the first n bytes of a file.
func damages(name string, n int) (all []damage) {
	for bit := range 8 * n {
		all = append(all, damage{name, bit, -1})
	}
	for cut := range n {
		all = append(all, damage{name, -1, cut})
	}
	return all
}

func (d damage) of(content []byte) []byte {
	b := bytes.Clone(content)
	if d.cut >= 0 {
		return b[:d.cut]
	}
	b[d.bit/8] ^= 1 << (d.bit % 8)
	return b
}

// TestADamagedFileIsRefusedOrTheResultIsRight damages the journal of a job that
// is resumed, and the header of an input of one that is not.
func TestADamagedFileIsRefusedOrTheResultIsRight(t *testing.T) {
	p := newKnown(t)
	dir := t.TempDir()
	p.leave(dir, 64)
	journalName, partName := "c.npy"+journal.Suffix, "c.npy"+matfile.PartSuffix
	left := map[string][]byte{}
	for _, name := range []string{journalName, partName} {
		left[name] = []byte(read(filepath.Join(dir, name)))
	}
	left["a.npy"] = []byte(read(filepath.Join(p.dir, "a.npy")))
	all := append(damages(journalName, len(left[journalName])), damages("a.npy", 128)...)
	rand.New(rand.NewPCG(1, 9)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	from, to := runs(t, 60, uint64(len(all)))
	refused, cuts, unseen := 0, 0, 0
	to = min(to, uint64(len(all)))
	for _, d := range all[min(from-1, to):to] {
		os.Remove(filepath.Join(dir, "c.npy"))
		for name, content := range left {
			if name == d.name {
				content = d.of(content)
			}
			p.put(dir, name, content)
		}
		args := []string{"run", filepath.Join(p.dir, "a.npy"), filepath.Join(p.dir, "b.npy"), "-o", "c.npy", "--workers", "1", "--resume", "--verify", "exact"}
		if d.name == "a.npy" {
			args[1] = "a.npy"
			os.Remove(filepath.Join(dir, journalName))
		}
		c := start(t, dir, args...)
		code, said := c.wait(), c.stderr.String()
		switch {
		case code == exitInput && strings.Contains(said, d.name+": ") && strings.Count(said, "\n") <= 2 && !exists(filepath.Join(dir, "c.npy")):
			refused++
		case code != 0:
			t.Fatalf("%+v: exit status %d: %s", d, code, said)
		case d.name == "a.npy":
			unseen++ // it means another matrix now, whose product was verified
		case sum(t, filepath.Join(dir, "c.npy")) != p.sum:
			t.Fatalf("%+v: C is wrong: %s", d, said)
		case strings.Contains(said, "it is cut there") || strings.Contains(said, "nothing is kept"):
			cuts++
		case d.cut < 0:
			t.Fatalf("%+v: nobody noticed: %s", d, said)
		}
	}
	t.Logf("damages %d to %d of %d: %d refused, %d cut, %d headers that mean another matrix; 0 wrong; SHA-256 of C %s", from, to, len(all), refused, cuts, unseen, p.sum)
}

// leave leaves what a run leaves that has saved so many rows.
func (p *known) leave(dir string, rows int64) {
	p.t.Helper()
	if err := p.job(dir, false, false).leaveRows(p.ref, rows, 16); err != nil {
		p.t.Fatal(err)
	}
}
