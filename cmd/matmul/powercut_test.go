package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"matmul/internal/journal"
)

// A disk follows a directory from one fsync to the next: what a power cut
// leaves is what was synced and any part of what came after it.
type disk struct {
	t     *testing.T
	dir   string
	names map[string]uint64 // that are durable, and the inodes that they mean
	files map[uint64][]byte // what is durable of them
	cuts  []cut
}

// A cut is the moment before an fsync took effect.
type cut struct {
	before, now listing
}

type listing struct {
	names map[string]uint64
	files map[uint64][]byte
}

// look returns what the directory holds.
func (d *disk) look() (l listing) {
	l = listing{map[string]uint64{}, map[uint64][]byte{}}
	for _, name := range list(d.dir) {
		path := filepath.Join(d.dir, name)
		st, err := os.Stat(path)
		if err != nil {
			d.t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			d.t.Fatal(err)
		}
		ino := st.Sys().(*syscall.Stat_t).Ino
		l.names[name], l.files[ino] = ino, b
	}
	return l
}

// begin takes what is there for durable.
func (d *disk) begin() {
	l := d.look()
	d.names, d.files = l.names, l.files
}

// fsync stands in for os.File.Sync.
func (d *disk) fsync(f *os.File) error {
	now := d.look()
	d.cuts = append(d.cuts, cut{listing{d.names, maps.Clone(d.files)}, now})
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.IsDir() {
		d.names = now.names
		return nil
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	d.files[ino] = now.files[ino]
	return nil
}

const sectorSize = 512

// image returns what the disk may hold after a power cut.
func (c cut) image(r *rand.Rand) map[string][]byte {
	names := maps.Clone(c.before.names)
	switch added := c.added(); {
	case added != nil: // names of their own: each may have come to the disk
		for _, name := range added {
			if r.IntN(2) == 0 {
				names[name] = c.now.names[name]
			}
		}
	case r.IntN(2) == 0: // one rename or removal: it has or has not
		names = c.now.names
	}
	keep := chooser(r)
	image := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		ino := names[name]
		now, there := c.now.files[ino]
		if !there {
			now = c.before.files[ino] // removed meanwhile
		}
		image[name] = mix(r, c.before.files[ino], now, keep)
	}
	return image
}

// added returns the new names, if nothing else has changed.
func (c cut) added() (names []string) {
	for name, ino := range c.before.names {
		if c.now.names[name] != ino {
			return nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.now.names)) {
		if _, old := c.before.names[name]; !old {
			names = append(names, name)
		}
	}
	return names
}

// chooser says, sector by sector, what came to the disk: the first of them, or
// a random part.
func chooser(r *rand.Rand) func() bool {
	if r.IntN(2) == 0 {
		left := r.IntN(64)
		return func() bool { left--; return left >= 0 }
	}
	share := r.Float64()
	return func() bool { return r.Float64() < share }
}

// mix returns a file of which not all that was written has come to the disk;
// of one sector perhaps only a part.
func mix(r *rand.Rand, before, now []byte, keep func() bool) []byte {
	size := max(len(before), len(now))
	if r.IntN(2) == 0 {
		size = len(before) // nor has its length
		if len(now) < size && r.IntN(2) == 0 {
			size = len(now)
		}
	}
	b := make([]byte, size)
	copy(b, before)
	for at := 0; at < min(size, len(now)); at += sectorSize {
		end := min(at+sectorSize, size, len(now))
		if bytes.Equal(b[at:end], now[at:end]) || !keep() {
			continue
		}
		if r.IntN(50) == 0 {
			end = at + r.IntN(end-at) // torn
		}
		copy(b[at:end], now[at:])
	}
	return b
}

// A recording is a run's way of saving, cut at each of its fsyncs.
type recording struct {
	name string
	args []string // of the run that resumes
	cuts []cut
}

// record follows a run that stores rows in pieces, saves now and then, and ends
// after so many rows, or completes.
func (p *known) record(d *disk, j *product, rows int64) {
	p.t.Helper()
	d.begin()
	if there, err := j.openOutput(context.Background()); there != nil || err != nil {
		p.t.Fatalf("%v, %v", there, err)
	}
	j.dest.Fsync, j.saver.journal.Fsync = d.fsync, d.fsync
	const step = 8
	kept := j.plan.KeptRows()
	for at := int64(0); at < rows; at += step {
		if at >= kept {
			p.store(j, at, step)
		}
		if at%(3*step) == 0 {
			if err := j.save(); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	if rows < p.ref.Rows {
		j.settle(context.Background(), fmt.Errorf("the power is cut"))
		return
	}
	if err := j.settle(context.Background(), j.commit()); err != nil {
		p.t.Fatal(err)
	}
	d.fsync(must(os.Open(d.dir))) // and the moment after all
}

func must(f *os.File, err error) *os.File {
	if err != nil {
		panic(err)
	}
	return f
}

// recordings records runs that make a new output, replace an old one, and go on
// with a journal whose end is damaged.
func (p *known) recordings() (all []recording) {
	d := &disk{t: p.t, dir: p.t.TempDir()}
	p.record(d, p.job(d.dir, false, false), p.ref.Rows)
	all = append(all, recording{"new", nil, d.cuts})

	d = &disk{t: p.t, dir: p.t.TempDir()}
	p.put(d.dir, "c.npy", []byte("old"))
	p.record(d, p.job(d.dir, true, false), p.ref.Rows)
	all = append(all, recording{"replace", []string{"--force"}, d.cuts})

	d = &disk{t: p.t, dir: p.t.TempDir()}
	p.record(d, p.job(d.dir, false, false), 48)
	path := filepath.Join(d.dir, "c.npy"+journal.Suffix)
	p.put(d.dir, "c.npy"+journal.Suffix, []byte(read(path)[:len(read(path))-10]))
	d.cuts = nil
	p.record(d, p.job(d.dir, false, true), p.ref.Rows)
	return append(all, recording{"resumed", nil, d.cuts})
}

// TestAPowerCutAtAnyMomentIsSurvived makes images of what the disk may hold
// then, and resumes from them.
func TestAPowerCutAtAnyMomentIsSurvived(t *testing.T) {
	from, to := runs(t, 40, 5000)
	p := newKnown(t)
	all := p.recordings()
	moments := 0
	for _, tr := range all {
		moments += len(tr.cuts)
	}
	kept, complete := 0, 0
	for seed := from; seed <= to; seed++ {
		r := rand.New(rand.NewPCG(seed, 7))
		tr := all[seed%uint64(len(all))]
		dir := t.TempDir()
		for name, b := range tr.cuts[r.IntN(len(tr.cuts))].image(r) {
			p.put(dir, name, b)
		}
		was := list(dir)
		args := append([]string{"run", filepath.Join(p.dir, "a.npy"), filepath.Join(p.dir, "b.npy"), "-o", "c.npy", "--resume",
			"--checkpoint", "1h", "--workers", "1", "--verify", "none"}, tr.args...)
		c := start(t, dir, args...)
		code, said := c.wait(), c.stderr.String()
		if code != 0 && !wasComplete(code, said) {
			t.Fatalf("image %d (%s, %q): exit status %d: %s", seed, tr.name, was, code, said)
		}
		if got := sum(t, filepath.Join(dir, "c.npy")); got != p.sum {
			t.Fatalf("image %d (%s, %q): C has the SHA-256 %s, want %s", seed, tr.name, was, got, p.sum)
		}
		if names := list(dir); len(names) != 1 {
			t.Fatalf("image %d (%s, %q): %q are left", seed, tr.name, was, names)
		}
		if strings.Contains(said, "was complete") || code != 0 {
			complete++
		} else if keptRows.MatchString(said) {
			kept++
		}
		os.RemoveAll(dir)
	}
	t.Logf("images %d to %d of %d moments in %d recordings: %d resumed with rows kept, %d were complete, the others began anew; 0 failures; SHA-256 of C %s each time",
		from, to, moments, len(all), kept, complete, p.sum)
	if uint64(kept) < (to-from+1)/4 {
		t.Errorf("only %d of %d images had something to keep: this shows little", kept, to-from+1)
	}
}
