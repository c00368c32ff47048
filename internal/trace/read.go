package trace

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A Trace is what a file shows. Times are seconds.
type Trace struct {
	Name  string // of the process, or of what several did together
	Info  Info
	Rows  []Row   // of the master, if it did anything, and of the workers, by number; of each process
	Rate  []Speed // of the counter GFLOP/s, of all processes together
	From  float64 // when the first task or step began,
	To    float64 // and when the last one ended
	names map[int]string
	rates map[int][]Speed
	seen  map[[2]int]int // index in Rows by process and number of the row
}

// A Row is what one worker, or the master, did.
type Row struct {
	Process int
	ID      int
	Name    string
	Steps   bool    // of a rank, and not tasks
	Slices  []Slice // in the order of their times, without overlaps
}

// A Slice is a task.
type Slice struct {
	Kind       string
	Begin, End float64
}

// A Speed is a value of the counter GFLOP/s, from a time on.
type Speed struct{ At, GFLOPS float64 }

// Busy returns the time in which the row worked.
func (r *Row) Busy() (sum float64) {
	for _, s := range r.Slices {
		if !r.Steps || s.Kind != Waiting {
			sum += s.End - s.Begin
		}
	}
	return sum
}

// Idle returns the part of the time between the first begin and the last end of
// any task in which the row did nothing, 0 to 1.
func (t *Trace) Idle(r *Row) float64 {
	if t.To <= t.From {
		return 0
	}
	return min(max(1-r.Busy()/(t.To-t.From), 0), 1)
}

// event is what is read of an event. Pointers tell what is there.
type event struct {
	Name *string         `json:"name"`
	Ph   *string         `json:"ph"`
	Ts   *float64        `json:"ts"`
	Dur  *float64        `json:"dur"`
	Pid  *int            `json:"pid"`
	Tid  *int            `json:"tid"`
	Cat  string          `json:"cat"`
	Args json.RawMessage `json:"args"`
}

// ErrEmpty is returned for a trace in which no task was done.
var ErrEmpty = errors.New("no task of matmul is in it")

// Read reads a trace and checks it. The errors say what is malformed, and in
// which event.
func Read(r io.Reader) (*Trace, error) {
	t := &Trace{From: math.Inf(1), names: map[int]string{}, rates: map[int][]Speed{}, seen: map[[2]int]int{}}
	d := json.NewDecoder(r)
	if err := t.object(d); err != nil {
		return nil, err
	}
	t.Rows = slices.DeleteFunc(t.Rows, func(r Row) bool { return len(r.Slices) == 0 })
	if len(t.Rows) == 0 {
		return nil, ErrEmpty
	}
	t.addIdle()
	slices.SortFunc(t.Rows, func(a, b Row) int { return cmp.Or(a.Process-b.Process, a.ID-b.ID) })
	t.together()
	return t, nil
}

// together names the whole and adds up the speeds of its processes. Where there are
// several their names come before those of their rows.
func (t *Trace) together() {
	t.Name = t.Info.Name
	if t.Name == "" {
		t.Name = t.names[t.Rows[0].Process]
	}
	if t.Info.Ranks > 1 {
		for i := range t.Rows {
			t.Rows[i].Name = strings.TrimSpace(t.names[t.Rows[i].Process] + " " + t.Rows[i].Name)
		}
	}
	t.Rate = sum(t.rates)
}

// sum returns the sum of values that last until the next one of their process.
func sum(rates map[int][]Speed) (all []Speed) {
	type change struct{ at, by float64 }
	var changes []change
	for _, values := range rates {
		if len(rates) == 1 {
			return values
		}
		last := 0.0
		for _, v := range values {
			changes = append(changes, change{v.At, v.GFLOPS - last})
			last = v.GFLOPS
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	now := 0.0
	for _, c := range changes {
		now += c.by
		if n := len(all); n > 0 && all[n-1].At == c.at {
			all[n-1].GFLOPS = max(now, 0)
		} else {
			all = append(all, Speed{c.at, max(now, 0)}) // rounding may leave less than nothing
		}
	}
	return all
}

// mostWorkers is more workers than a pool has.
const mostWorkers = 1 << 12

// mostIdle is the most workers that are shown although they did nothing.
const mostIdle = 1 << 20

// addIdle adds the workers that had nothing to do.
func (t *Trace) addIdle() {
	there, processes := map[[2]int]bool{}, map[int]bool{process: true}
	for i := range t.Rows {
		there[[2]int{t.Rows[i].Process, t.Rows[i].ID}] = true
		processes[t.Rows[i].Process] = true
	}
	workers := min(t.Info.Workers, mostWorkers, mostIdle/len(processes))
	for pid := range processes {
		for seat := range workers {
			if !there[[2]int{pid, row(seat)}] {
				t.Rows = append(t.Rows, Row{Process: pid, ID: row(seat), Name: name(seat)})
			}
		}
	}
}

// object reads the file's object. Fields that it does not know it leaves alone.
func (t *Trace) object(d *json.Decoder) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	events := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return broken(err)
		}
		switch key {
		case "traceEvents":
			events = true
			err = t.events(d)
		case "otherData":
			err = d.Decode(&t.Info)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return broken(err)
		}
	}
	if err := delim(d, '}'); err != nil {
		return err
	}
	if !events {
		return errors.New("there are no traceEvents: it is not in the Chrome trace-event format")
	}
	return nil
}

// delim reads a bracket.
func delim(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return broken(err)
	}
	if got != want {
		return fmt.Errorf("%v stands where %v is expected: it is not a trace as an object", got, want)
	}
	return nil
}

// broken says that a file ends too early.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends in the middle")
	}
	return err
}

// events reads the array of events.
func (t *Trace) events(d *json.Decoder) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	for i := 0; d.More(); i++ {
		var e event
		if err := d.Decode(&e); err != nil {
			return fmt.Errorf("event %d: %w", i, broken(err))
		}
		if err := t.event(&e); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return delim(d, ']')
}

// event takes an event. Of phases that a trace of this program does not have,
// nothing is known here.
func (t *Trace) event(e *event) error {
	switch {
	case e.Ph == nil:
		return errors.New("ph is missing")
	case *e.Ph != "X" && *e.Ph != "C" && *e.Ph != "M":
		return nil
	case e.Name == nil:
		return errors.New("name is missing")
	case e.Pid == nil:
		return errors.New("pid is missing")
	case *e.Ph == "M":
		return t.named(e)
	case !isTime(e.Ts):
		return errors.New("ts is not a time")
	case *e.Ph == "C":
		return t.counter(e)
	}
	return t.slice(e)
}

// mostTime is more microseconds than any trace spans.
const mostTime = 1e15

func isTime(micros *float64) bool { return micros != nil && 0 <= *micros && *micros <= mostTime }

// named takes the name of the process or of a row.
func (t *Trace) named(e *event) error {
	if *e.Name != "process_name" && *e.Name != "thread_name" {
		return nil
	}
	var args struct{ Name *string }
	if err := json.Unmarshal(e.Args, &args); err != nil || args.Name == nil {
		return errors.New("args.name is missing")
	}
	switch {
	case *e.Name == "process_name":
		t.names[*e.Pid] = *args.Name
	case e.Tid == nil:
		return errors.New("tid is missing")
	default:
		t.row(*e.Pid, *e.Tid).Name = *args.Name
	}
	return nil
}

// row returns the row of a number of a process, a new one if there is none.
func (t *Trace) row(pid, id int) *Row {
	i, ok := t.seen[[2]int{pid, id}]
	if !ok {
		i = len(t.Rows)
		t.seen[[2]int{pid, id}] = i
		t.Rows = append(t.Rows, Row{Process: pid, ID: id, Name: fmt.Sprintf("row %d", id)})
	}
	return &t.Rows[i]
}

// counter takes a value of the counter GFLOP/s.
func (t *Trace) counter(e *event) error {
	var values map[string]float64
	if err := json.Unmarshal(e.Args, &values); err != nil || len(values) == 0 {
		return errors.New("the args of a counter are not numbers")
	}
	if v, ok := values["GFLOP/s"]; ok {
		t.rates[*e.Pid] = append(t.rates[*e.Pid], Speed{*e.Ts / 1e6, v})
	}
	return nil
}

// slack is what two times of a row may overlap by, in seconds: they have three
// digits behind the point of a microsecond.
const slack = 1.5e-9

// slice takes a task or a step.
func (t *Trace) slice(e *event) error {
	if e.Tid == nil {
		return errors.New("tid is missing")
	}
	if !isTime(e.Dur) {
		return errors.New("dur is not a time")
	}
	if e.Cat != "task" && e.Cat != "step" {
		return nil
	}
	r := t.row(*e.Pid, *e.Tid)
	r.Steps = e.Cat == "step"
	s := Slice{*e.Name, *e.Ts / 1e6, (*e.Ts + *e.Dur) / 1e6}
	if n := len(r.Slices); n > 0 && s.Begin < r.Slices[n-1].End-slack {
		return fmt.Errorf("it begins at %g s, before the end of the last one of its row at %g s", s.Begin, r.Slices[n-1].End)
	}
	r.Slices = append(r.Slices, s)
	t.From, t.To = min(t.From, s.Begin), max(t.To, s.End)
	return nil
}
