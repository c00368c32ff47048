package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"matmul/tiling"
)

const start = int64(12345678901)

// tasks makes tasks of so many seats, the master among them, with gaps, in the
// order of their ends.
func tasks(n, seats int, longest time.Duration) (all []Task) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	free := make([]int64, seats)
	for i := range free {
		free[i] = start
	}
	for i := range n {
		seat := 0
		for s := range free {
			if free[s] < free[seat] {
				seat = s
			}
		}
		sent := free[seat] - rng.Int64N(1000)
		begin := free[seat] + rng.Int64N(int64(longest)/10+1)
		end := begin + rng.Int64N(int64(longest))
		free[seat] = end
		k := Task{Job: `"C".npy`, Seat: seat - 1, Kind: tiling.Kind(1 + rng.IntN(5)), ID: int64(i),
			Rect: tiling.Rect{R0: 1, R1: 5, C0: 0, C1: 7}, Sent: sent, Begin: begin, End: end, Ready: rng.IntN(9)}
		if k.Kind == tiling.Multiply {
			k.Flops = 1e6 * rng.Float64()
		}
		all = append(all, k)
	}
	return all
}

// written returns the trace of tasks.
func written(t *testing.T, all []Task) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, "matmul <test>", start)
	for _, k := range all {
		w.Task(k)
	}
	if err := w.Close(Info{Program: "test", Workers: 3, Limit: 118.5}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestATraceHasWhatTheFormatRequires checks the fields and types that the
// description of the format asks of each phase, and the order of each row, with
// nothing but package json.
func TestATraceHasWhatTheFormatRequires(t *testing.T) {
	all := tasks(5000, 4, 3*time.Millisecond)
	var file struct {
		TraceEvents     []map[string]any
		DisplayTimeUnit string
		OtherData       map[string]any
	}
	if err := json.Unmarshal(written(t, all), &file); err != nil {
		t.Fatal(err)
	}
	if file.DisplayTimeUnit != "ms" && file.DisplayTimeUnit != "ns" {
		t.Errorf("displayTimeUnit is %q", file.DisplayTimeUnit)
	}
	number := func(i int, e map[string]any, key string) float64 {
		v, ok := e[key].(float64)
		if !ok || v < 0 || math.IsInf(v, 0) {
			t.Fatalf("event %d: %s is %v", i, key, e[key])
		}
		return v
	}
	ends, last, slices, named := map[float64]float64{}, map[string]float64{}, 0, map[float64]bool{}
	for i, e := range file.TraceEvents {
		name, _ := e["name"].(string)
		args, _ := e["args"].(map[string]any)
		if name == "" || args == nil || number(i, e, "pid") != process {
			t.Fatalf("event %d: %v", i, e)
		}
		switch e["ph"] {
		case "M":
			named[number(i, e, "tid")] = true
		case "X":
			ts, dur, tid := number(i, e, "ts"), number(i, e, "dur"), number(i, e, "tid")
			k := all[slices]
			if !named[tid] || tid != float64(k.Seat+2) || name != k.Kind.String() || args["job"] != k.Job || args["task"] != float64(k.ID) {
				t.Fatalf("event %d: %v, want %+v", i, e, k)
			}
			if want := float64(k.Begin-k.Sent) / 1e3; math.Abs(args["wait_us"].(float64)-want) > 1e-9 {
				t.Fatalf("event %d: it waited for %v µs, want %v", i, args["wait_us"], want)
			}
			if math.Abs(ts-float64(k.Begin-start)/1e3) > 1e-6 || math.Abs(dur-float64(k.End-k.Begin)/1e3) > 1e-6 || ts < ends[tid]-1e-6 {
				t.Fatalf("event %d: times of %v, want %+v; the row's last ended at %v", i, e, k, ends[tid])
			}
			ends[tid] = ts + dur
			slices++
		case "C":
			ts := number(i, e, "ts")
			if ts < last[name] || len(args) != 1 {
				t.Fatalf("event %d: %v, the last of its counter was at %v", i, e, last[name])
			}
			last[name] = ts
			for key := range args {
				number(i, args, key)
			}
		default:
			t.Fatalf("event %d: phase %v", i, e["ph"])
		}
	}
	if slices != len(all) || len(last) != 2 {
		t.Errorf("%d slices of %d tasks, counters %v", slices, len(all), last)
	}
}

func TestATraceIsReadAsItWasWritten(t *testing.T) {
	all := tasks(3000, 3, 5*time.Millisecond)
	got, err := Read(bytes.NewReader(written(t, all)))
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "matmul <test>" || got.Info != (Info{Program: "test", Workers: 3, Limit: 118.5}) || len(got.Rows) != 4 {
		t.Fatalf("got %q, %+v, %d rows", got.Name, got.Info, len(got.Rows))
	}
	busy, n := map[int]float64{}, map[int]int{}
	first, last, flops := all[0].Begin, all[0].End, 0.0
	for _, k := range all {
		busy[k.Seat] += float64(k.End-k.Begin) / 1e9
		n[k.Seat]++
		first, last = min(first, k.Begin), max(last, k.End)
		flops += k.Flops
	}
	for i := range got.Rows {
		r := &got.Rows[i]
		seat := i - 1
		want := map[int]string{-1: "master", 0: "worker 0", 1: "worker 1", 2: "worker 2"}[seat] // the last was idle
		if r.Name != want || len(r.Slices) != n[seat] || math.Abs(r.Busy()-busy[seat]) > 1e-7 {
			t.Errorf("row %d: %q, %d slices, busy for %v; want %q, %d, %v", i, r.Name, len(r.Slices), r.Busy(), want, n[seat], busy[seat])
		}
		if want := 1 - busy[seat]/(float64(last-first)/1e9); math.Abs(got.Idle(r)-want) > 1e-6 {
			t.Errorf("%s: idle %v, want %v", r.Name, got.Idle(r), want)
		}
	}
	sum := 0.0
	for i, v := range got.Rate[:len(got.Rate)-1] {
		sum += v.GFLOPS * 1e9 * (got.Rate[i+1].At - v.At)
	}
	if math.Abs(sum-flops) > 1e-3*flops {
		t.Errorf("the counter's speeds make %g operations, want %g", sum, flops)
	}
}

func TestAPauseOfHoursWritesNoCounterForEachMoment(t *testing.T) {
	k := Task{Kind: tiling.Multiply, Flops: 1e9, Begin: start, End: start + 1e9}
	later := k
	later.Begin, later.End = start+int64(5*time.Hour), start+int64(5*time.Hour)+1e9
	got, err := Read(bytes.NewReader(written(t, []Task{k, later})))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Rate); n < 40 || n > 40+2*keptIntervals {
		t.Errorf("%d values", n)
	}
	if lastOf := got.Rate[len(got.Rate)-1]; lastOf.GFLOPS != 0 {
		t.Errorf("the last value is %v", lastOf)
	}
	if v := got.Rate[len(got.Rate)-2].GFLOPS; math.Abs(v-1) > 1e-3 {
		t.Errorf("the last speed is %v GFLOP/s, want 1", v)
	}
}

// TestAWriterKeepsNothing writes many tasks: what they leave behind is a few
// strings each, and the buffers do not grow.
func TestAWriterKeepsNothing(t *testing.T) {
	w := NewWriter(io.Discard, "", start)
	all, i := tasks(20000, 4, time.Second), 0
	per := testing.AllocsPerRun(len(all)-1, func() {
		w.Task(all[i])
		i++
	})
	if per > 4 {
		t.Errorf("%.1f allocations a task", per)
	}
	if c := cap(w.line); c > 4096 {
		t.Errorf("the line's buffer has grown to %d bytes", c)
	}
}

// full fails from a byte on.
type full struct{ left int }

var errFull = errors.New("the disk is full")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestAFullDiskIsToldAtTheEndAndOnce(t *testing.T) {
	for _, room := range []int{0, 100, 100 << 10} {
		w := NewWriter(&full{room}, "", start)
		for _, k := range tasks(3000, 2, time.Millisecond) {
			w.Task(k)
		}
		if err := w.Close(Info{}); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

func TestWhatIsMalformedIsNamed(t *testing.T) {
	good := `{"name":"multiply","cat":"task","ph":"X","ts":5,"dur":2,"pid":1,"tid":2,"args":{}}`
	in := func(events ...string) string { return `{"traceEvents":[` + strings.Join(events, ",") + `]}` }
	without := func(field string) string {
		var e map[string]any
		_ = json.Unmarshal([]byte(good), &e)
		delete(e, field)
		b, _ := json.Marshal(e)
		return in(good, string(b))
	}
	with := func(old, new string) string { return in(good, strings.Replace(good, old, new, 1)) }
	for _, test := range []struct{ file, want string }{
		{"", "it ends in the middle"},
		{"[]", "it is not a trace as an object"},
		{"x", "invalid character"},
		{"{}", "there are no traceEvents"},
		{`{"traceEvents":3}`, "[ is expected"},
		{`{"traceEvents":[`, "it ends in the middle"},
		{`{"traceEvents":[` + good, "it ends in the middle"},
		{in(good)[:len(in(good))-1], "it ends in the middle"},
		{in(), ErrEmpty.Error()},
		{in(`{"name":"x","cat":"other","ph":"X","ts":5,"dur":2,"pid":1,"tid":2}`), ErrEmpty.Error()},
		{in(good, "7"), "event 1: "},
		{without("ph"), "event 1: ph is missing"},
		{without("name"), "event 1: name is missing"},
		{without("pid"), "event 1: pid is missing"},
		{without("tid"), "event 1: tid is missing"},
		{without("ts"), "event 1: ts is not a time"},
		{without("dur"), "event 1: dur is not a time"},
		{with(`"ts":5`, `"ts":-5`), "event 1: ts is not a time"},
		{with(`"ts":5`, `"ts":"5"`), "event 1: "},
		{with(`"ts":5`, `"ts":6.9`), "event 1: it begins at 6.9e-06 s, before the end of the last one of its row at 7e-06 s"},
		{in(`{"name":"thread_name","ph":"M","pid":1,"tid":1,"args":{}}`), "event 0: args.name is missing"},
		{in(`{"name":"queue","ph":"C","ts":1,"pid":1,"args":{"a":"b"}}`), "event 0: the args of a counter are not numbers"},
	} {
		_, err := Read(strings.NewReader(test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v, want %q", test.file, err, test.want)
		}
	}
	// What others write beside the tasks is left alone.
	more := in(`{"ph":"i","s":"g"}`, `{"name":"x","ph":"B","ts":1}`, good)
	if got, err := Read(strings.NewReader(more)); err != nil || len(got.Rows) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzRead wants an error or a trace whose rows make sense.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b, "x", start)
	for _, k := range tasks(20, 3, time.Millisecond) {
		w.Task(k)
	}
	if err := w.Close(Info{Workers: 2}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte(`{"traceEvents":[{"name":"multiply","cat":"task","ph":"X","ts":1e308,"dur":1e308,"pid":1,"tid":-5}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(got.Rows) == 0 || !(got.From <= got.To) {
			t.Fatalf("%+v", got)
		}
		for i := range got.Rows {
			r := &got.Rows[i]
			if idle := got.Idle(r); !(0 <= idle && idle <= 1) {
				t.Fatal(fmt.Sprint(r.Name, " is idle for a part of ", idle))
			}
		}
	})
}

// BenchmarkTask is what it costs to tell a trace of a task.
func BenchmarkTask(b *testing.B) {
	w, all, i := NewWriter(io.Discard, "", start), tasks(100000, 4, time.Millisecond), 0
	for b.Loop() {
		w.Task(all[i%len(all)])
		i++
	}
}
