package tune

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matmul/tiling"
)

// aSweep is a sweep of 12 points at 2 sizes, and its header.
func aSweep(t testing.TB) (*Sweep, SweepHeader) {
	t.Helper()
	p, key, share := aProfile(t)
	axes, err := ParseAxes("kc=64:256:64,tile=64|96|128")
	if err != nil {
		t.Fatal(err)
	}
	h := SweepHeader{Version: SweepVersion, Key: key, Caches: share, Axes: axes, Sizes: []string{"8", "16"}, Reps: 2, Base: p.Choice}
	s := &Sweep{
		Sizes: []tiling.Problem{{M: 8, N: 8, K: 8}, {M: 16, N: 16, K: 16}}, Points: Points(axes, p.Choice), Reps: 2,
		Measure: func(ctx context.Context, p tiling.Problem, c Choice) (float64, error) {
			return 1 / float64(c.KC), ctx.Err()
		},
	}
	return s, h
}

func lines(t *testing.T, path string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		all = append(all, sc.Text())
	}
	return all
}

func TestASweepMeasuresEveryPointOnce(t *testing.T) {
	s, h := aSweep(t)
	path := filepath.Join(t.TempDir(), "sweep")
	f, err := OpenSweep(path, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), f.Done, f.Append); err != nil {
		t.Fatal(err)
	}
	f.Close()
	seen := map[[2]int]bool{}
	for _, line := range lines(t, path)[1:] {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Seconds) != 2 || r.Median != 1/float64(r.Choice.KC) || r.Choice != s.Points[r.Point] {
			t.Errorf("%+v", r)
		}
		seen[[2]int{r.Point, r.Size}] = true
	}
	if len(seen) != s.Todo() || s.Todo() != 24 {
		t.Errorf("%d points of %d", len(seen), s.Todo())
	}
}

// TestASweepThatIsCutAnywhereGoesOn cuts the file of a finished sweep after
// every byte, as a kill may, and wants all points in it, each once, afterwards.
func TestASweepThatIsCutAnywhereGoesOn(t *testing.T) {
	s, h := aSweep(t)
	dir := t.TempDir()
	f, err := OpenSweep(filepath.Join(dir, "whole"), h)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), f.Done, f.Append); err != nil {
		t.Fatal(err)
	}
	f.Close()
	whole, err := os.ReadFile(filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cut")
	for n := range len(whole) + 1 {
		restore(t, path, string(whole[:n]))
		finished := max(bytes.Count(whole[:n], []byte("\n"))-1, 0)
		f, err := OpenSweep(path, h)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		measured := 0
		err = s.Run(context.Background(), f.Done, func(r Record) error { measured++; return f.Append(r) })
		f.Close()
		if err != nil || measured != s.Todo()-finished {
			t.Fatalf("cut at %d: measured %d of %d, %d were finished; %v", n, measured, s.Todo(), finished, err)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, whole) {
			t.Fatalf("cut at %d: the file differs", n)
		}
	}
}

func TestASweepOfSomethingElseIsRefused(t *testing.T) {
	s, h := aSweep(t)
	path := filepath.Join(t.TempDir(), "sweep")
	f, err := OpenSweep(path, h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSweep(path, h); !errors.Is(err, ErrSweep) || !strings.Contains(err.Error(), "another sweep is writing") {
		t.Errorf("opened twice: %v", err)
	}
	r, err := s.record(context.Background(), 0, 0)
	if err != nil || f.Append(r) != nil {
		t.Fatal(err)
	}
	f.Close()
	good, _ := os.ReadFile(path)
	for what, c := range map[string]struct {
		change func(h *SweepHeader, file *string)
		want   string
	}{
		"another processor": {func(h *SweepHeader, _ *string) { h.Processor = "Intel" }, "another machine, \"AMD EPYC 9R14\""},
		"other caches":      {func(h *SweepHeader, _ *string) { h.Caches.L3 = 5 }, "another machine"},
		"other workers":     {func(h *SweepHeader, _ *string) { h.Workers = 3 }, "it is for 2 worker(s)"},
		"another grid":      {func(h *SweepHeader, _ *string) { h.Axes = h.Axes[:1] }, "another grid"},
		"other repetitions": {func(h *SweepHeader, _ *string) { h.Reps = 9 }, "another grid"},
		"another version":   {func(h *SweepHeader, _ *string) { h.Version = 9 }, "version 1, want 9"},
		"another file":      {func(_ *SweepHeader, f *string) { *f = "hello\nworld\n" }, "not a sweep's file"},
		"a line of text":    {func(_ *SweepHeader, f *string) { *f = "hello" }, "not a sweep's file"},
		"binary":            {func(_ *SweepHeader, f *string) { *f = "\x00\x01\n" }, "not a sweep's file"},
		"a damaged line":    {func(_ *SweepHeader, f *string) { *f += "{\n" }, "line 3 is damaged"},
		"a line of zeros":   {func(_ *SweepHeader, f *string) { *f += "\x00\x00\n" }, "line 3 is damaged"},
		"a point too many":  {func(_ *SweepHeader, f *string) { *f += `{"point":12,"size":0}` + "\n" }, "line 3 is damaged"},
		"a negative point":  {func(_ *SweepHeader, f *string) { *f += `{"point":-1,"size":0}` + "\n" }, "line 3 is damaged"},
	} {
		header, file := h, string(good)
		c.change(&header, &file)
		restore(t, path, file)
		if f, err := OpenSweep(path, header); !errors.Is(err, ErrSweep) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", what, f, err, c.want)
		}
		if after, _ := os.ReadFile(path); string(after) != file {
			t.Errorf("%s: the file was changed", what)
		}
	}
	for kind, malform := range map[string]func(string) error{"fifo": malformations["fifo"], "directory": malformations["directory"], "cyclic link": malformations["cyclic link"]} {
		path := filepath.Join(t.TempDir(), "sweep")
		if err := malform(path); err != nil {
			t.Fatal(err)
		}
		if f, err := OpenSweep(path, h); err == nil {
			t.Errorf("%s: %v", kind, f)
		}
	}
}

func TestAPointThatFailsIsARecordAndTheEndOfTheContextIsNone(t *testing.T) {
	s, _ := aSweep(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.Measure = func(ctx context.Context, p tiling.Problem, c Choice) (float64, error) {
		if c.KC == 128 {
			cancel()
			return 0, ctx.Err()
		}
		return 0, errors.New("too large")
	}
	var records []Record
	err := s.Run(ctx, func(int, int) bool { return false }, func(r Record) error {
		records = append(records, r)
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(records) != 3 || records[0].Error != "too large" {
		t.Errorf("%v, %+v", err, records)
	}
}
