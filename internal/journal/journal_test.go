package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/tiling"
)

func someJob() Job {
	a := matfile.Fingerprint{Size: 1000, Modified: "1.000000002", Changed: "3.000000004", Digest: strings.Repeat("ab", 32)}
	return Job{M: 40, N: 6, K: 5, Type: "float64", Alpha: "1.5", Beta: "0", A: a, B: a}
}

// newJournal returns the journal of a job in a directory.
func newJournal(t *testing.T, dir string, job Job) *Journal {
	t.Helper()
	j, err := New(dir, "C.npy", job)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// band returns the i-th of the rectangles that tests store.
func band(i int) Record {
	return Record{tiling.Rect{R0: int64(4 * i), R1: int64(4*i + 4), C1: 6}, uint32(i) * 0x01010101}
}

// fill records n bands, step at a time.
func fill(t *testing.T, j *Journal, n, step int) {
	t.Helper()
	for i := range n {
		j.Stored(band(i).Rect, band(i).Sum)
		if (i+1)%step == 0 || i == n-1 {
			if err := j.Checkpoint(func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// read reads the journal in a directory.
func read(t *testing.T, dir string, job Job) ([]Record, string, error) {
	t.Helper()
	return newJournal(t, dir, job).Read()
}

func bands(n int) (all []Record) {
	for i := range n {
		all = append(all, band(i))
	}
	return all
}

func TestWhatWasRecordedIsReadAndGoneOnWith(t *testing.T) {
	dir := t.TempDir()
	j := newJournal(t, dir, someJob())
	if err := j.Checkpoint(func() error { t.Error("synced for nothing"); return nil }); err != nil {
		t.Fatal(err)
	}
	if there, err := Exists(dir, "C.npy"); there || err != nil {
		t.Errorf("a journal without records: %v, %v", there, err)
	}
	fill(t, j, 5, 2)
	if n, s := j.Records(), j.Stats(); n != 5 || s.Count != 3 || s.Slowest <= 0 {
		t.Errorf("%d records, %+v", n, s)
	}
	j.Close()
	for range 2 { // reading changes nothing
		j = newJournal(t, dir, someJob())
		if got, cut, err := j.Read(); err != nil || cut != "" || !slices.Equal(got, bands(5)) {
			t.Fatalf("got %v, %q, %v", got, cut, err)
		}
	}
	j.Stored(band(5).Rect, band(5).Sum)
	if err := j.Checkpoint(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, cut, err := read(t, dir, someJob()); err != nil || cut != "" || !slices.Equal(got, bands(6)) {
		t.Errorf("got %v, %q, %v", got, cut, err)
	}
	if err := errors.Join(j.Remove(), j.Remove()); err != nil {
		t.Error(err)
	}
	if there, err := Exists(dir, "C.npy"); there || err != nil {
		t.Errorf("after Remove: %v, %v", there, err)
	}
	if _, _, err := read(t, dir, someJob()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read what is not there: %v", err)
	}
	fill(t, newJournal(t, dir, someJob()), 1, 1)
	other := newJournal(t, dir, someJob())
	other.Stored(band(1).Rect, band(1).Sum)
	if err := errors.Join(other.Checkpoint(func() error { return nil }), other.Remove()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another's journal: %v", err)
	}
	if got, _, err := read(t, dir, someJob()); err != nil || !slices.Equal(got, bands(1)) {
		t.Errorf("another's journal: %v, %v", got, err)
	}
}

// TestEveryFlippedBitAndEveryTruncationIsFound: a journal is refused or cut,
// and what is read of it was written so.
func TestEveryFlippedBitAndEveryTruncationIsFound(t *testing.T) {
	const n = 6
	dir := t.TempDir()
	fill(t, newJournal(t, dir, someJob()), n, 1)
	path := filepath.Join(dir, "C.npy"+Suffix)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, content []byte) (records int, cut string) {
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		j, err := New(dir, "C.npy", someJob())
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		got, cut, err := j.Read()
		var refused *matfile.Error
		if err != nil && (!errors.As(err, &refused) || strings.ContainsAny(err.Error(), "\n\x00")) {
			t.Fatalf("%s %d: %v", what, at, err)
		}
		if len(got) > n || !slices.Equal(got, bands(len(got))) {
			t.Fatalf("%s %d: read %v", what, at, got)
		}
		if err != nil {
			cut = err.Error()
		}
		return len(got), cut
	}
	refused, cuts := 0, 0
	for bit := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if records, cut := try("bit", bit, b); cut == "" || records == n {
			t.Fatalf("bit %d: %d records, and it was not noticed", bit, records)
		} else if records == 0 {
			refused++
		} else {
			cuts++
		}
	}
	for size := range len(whole) {
		records, cut := try("size", size, whole[:size])
		head := len(whole) - n*recordSize
		boundary := size >= head && (size-head)%recordSize == 0
		if want := max(size-head, 0) / recordSize; records != want || boundary != (cut == "") {
			t.Fatalf("cut to %d bytes: %d records, %q", size, records, cut)
		}
	}
	t.Logf("%d bits flipped: %d refused or nothing kept, %d cut; %d truncations", 8*len(whole), refused, cuts, len(whole))
}

func TestARecordOutOfPlaceIsNotBelieved(t *testing.T) {
	job := someJob()
	head, err := header(job)
	if err != nil {
		t.Fatal(err)
	}
	m, other := markOf(head), markOf([]byte("another"))
	beyond, huge := band(0), band(0)
	beyond.Rect.R1, huge.Rect.R0 = 41, -1<<62
	for name, b := range map[string][]byte{
		"of another journal": band(1).encode(1, other),
		"of another place":   band(1).encode(2, m),
		"again":              band(0).encode(0, m),
		"outside C":          beyond.encode(1, m),
		"negative":           huge.encode(1, m),
	} {
		all := slices.Concat(band(0).encode(0, m), b, band(2).encode(2, m))
		got, cut, err := readRecords(bytes.NewReader(all), m, job)
		if len(got) != 1 || cut == "" || err != nil {
			t.Errorf("%s: %v, %q, %v", name, got, cut, err)
		}
	}
}

// TestAHeaderIsNotBelievedBeforeItsChecksum has one that claims to be long, and
// one that is right but for its contents.
func TestAHeaderIsNotBelievedBeforeItsChecksum(t *testing.T) {
	head, err := header(someJob())
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Clone(head)
	binary.LittleEndian.PutUint32(long[12:], 1<<31)
	foreign := bytes.Clone(head)
	copy(foreign[jobOff:], `{"x":1}`)
	seal(foreign)
	for name, b := range map[string][]byte{"long": long, "foreign": foreign, "empty": nil, "zeros": make([]byte, 4096),
		"torn": append([]byte("mat"), make([]byte, 1021)...), "short": []byte("matmul\x00")} {
		if _, err := readHeader(bytes.NewReader(b), someJob()); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"text": []byte("my notes"), "an array": []byte("\x93NUMPY")} {
		var not refusal
		if _, err := readHeader(bytes.NewReader(b), someJob()); !errors.As(err, &not) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestADamagedHeaderIsWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "C.npy"+Suffix), make([]byte, 5000), 0o666); err != nil {
		t.Fatal(err)
	}
	j := newJournal(t, dir, someJob())
	if got, cut, err := j.Read(); len(got) > 0 || cut == "" || err != nil {
		t.Fatalf("got %v, %q, %v", got, cut, err)
	}
	fill(t, j, 3, 3)
	if got, cut, err := read(t, dir, someJob()); err != nil || cut != "" || !slices.Equal(got, bands(3)) {
		t.Errorf("got %v, %q, %v", got, cut, err)
	}
}

func TestWhatIsCutOffIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	fill(t, newJournal(t, dir, someJob()), 6, 6)
	path := filepath.Join(dir, "C.npy"+Suffix)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-4*recordSize]++ // record 2
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	j := newJournal(t, dir, someJob())
	if got, cut, err := j.Read(); err != nil || !strings.HasPrefix(cut, "record 2 is bad") || !slices.Equal(got, bands(2)) {
		t.Fatalf("got %v, %q, %v", got, cut, err)
	}
	j.Stored(band(9).Rect, band(9).Sum)
	if err := j.Checkpoint(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, cut, err := read(t, dir, someJob()); err != nil || cut != "" || !slices.Equal(got, append(bands(2), band(9))) {
		t.Errorf("got %v, %q, %v", got, cut, err)
	}
}

func TestWhatDiffersIsSaid(t *testing.T) {
	dir := t.TempDir()
	fill(t, newJournal(t, dir, someJob()), 1, 1)
	c0 := someJob().A
	for want, change := range map[string]func(*Job){
		"is of another job: --alpha was 1.5, is 2":                             func(j *Job) { j.Alpha = "2" },
		"is of another job: --beta was 0, is 1":                                func(j *Job) { j.Beta, j.C0 = "1", &c0 },
		"is of another job: --trans-b was false, is true":                      func(j *Job) { j.TransB = true },
		"is of another job: the element type was float64, is float32":          func(j *Job) { j.Type = "float32" },
		"is of another job: m was 40, is 41":                                   func(j *Job) { j.M++ },
		"is of other inputs: the size of A is not what it was":                 func(j *Job) { j.A.Size++ },
		"is of other inputs: the content of B is not what it was":              func(j *Job) { j.B.Digest = "x" },
		"is of other inputs: the time of modification of B is not what it was": func(j *Job) { j.B.Modified = "9.000000000" },
		"is of other inputs: the time of change of A is not what it was":       func(j *Job) { j.A.Changed = "9.000000000" },
		"is of other inputs: the presence of C0 is not what it was":            func(j *Job) { j.C0 = &c0 },
	} {
		job := someJob()
		change(&job)
		_, _, err := read(t, dir, job)
		var refused *matfile.Error
		if !errors.As(err, &refused) || refused.Problem != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestAFailureEndsTheRecording fails each step of a checkpoint: what was
// recorded before stays, and nothing is added or tried again.
func TestAFailureEndsTheRecording(t *testing.T) {
	for _, step := range []string{"data", "file", "directory"} {
		dir := t.TempDir()
		j := newJournal(t, dir, someJob())
		if step != "directory" {
			fill(t, j, 2, 1)
		}
		calls := 0
		fail := func() error { calls++; return syscall.EIO }
		data := func() error { return nil }
		if step == "data" {
			data = fail
		}
		j.Fsync = func(f *os.File) error {
			st, err := f.Stat()
			if err == nil && st.IsDir() == (step == "directory") && step != "data" {
				err = fail()
			}
			return err
		}
		j.Stored(band(2).Rect, band(2).Sum)
		first := j.Checkpoint(data)
		j.Stored(band(3).Rect, band(3).Sum)
		second := j.Checkpoint(data)
		if !errors.Is(first, syscall.EIO) || second != first || calls != 1 {
			t.Errorf("%s: %v, then %v, after %d calls", step, first, second, calls)
		}
		if strings.Contains(first.Error(), "\n") || !strings.HasPrefix(first.Error(), "checkpoint: sync ") {
			t.Errorf("%s: %v", step, first)
		}
		j.Close()
		got, _, err := read(t, dir, someJob())
		if err != nil || step != "directory" && !slices.Equal(got[:2], bands(2)) || slices.Contains(got, band(3)) {
			t.Errorf("%s: read %v, %v", step, got, err)
		}
		if step == "data" && len(got) != 2 {
			t.Errorf("recorded before it was durable: %v", got)
		}
	}
}

func TestOnlyRectanglesWithTheirChecksumAreKept(t *testing.T) {
	rows, cols := int64(40), int64(6)
	info := matfile.Info{Path: "C.npy", Rows: rows, Cols: cols, Elem: elem.Float64, Offset: 128}
	data := make([]byte, 128+rows*cols*8)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	sum := func(r tiling.Rect) (crc uint32) {
		for i := r.R0; i < r.R1; i++ {
			at := 128 + (i*cols+r.C0)*8
			crc = crc32.Update(crc, castagnoli, data[at:at+r.Cols()*8])
		}
		return crc
	}
	var records []Record
	for _, r := range []tiling.Rect{{R0: 0, R1: 10, C1: 6}, {R0: 5, R1: 20, C0: 2, C1: 5}, {R0: 39, R1: 40, C1: 6}, {R0: 0, R1: 40, C0: 5, C1: 6}} {
		records = append(records, Record{r, sum(r)})
	}
	check := func(data []byte) (kept []tiling.Rect) {
		kept, err := Check(context.Background(), bytes.NewReader(data), info, records, func(int64, int64) {})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	if kept := check(data); len(kept) != len(records) {
		t.Errorf("kept %v of %v", kept, records)
	}
	for bit := 8 * 128; bit < 8*len(data); bit++ {
		data[bit/8] ^= 1 << (bit % 8)
		element := int64(bit/64 - 16)
		i, j := element/cols, element%cols
		var want []tiling.Rect
		for _, r := range records {
			if i < r.Rect.R0 || i >= r.Rect.R1 || j < r.Rect.C0 || j >= r.Rect.C1 {
				want = append(want, r.Rect)
			}
		}
		if kept := check(data); !slices.Equal(kept, want) {
			t.Fatalf("bit %d: kept %v, want %v", bit, kept, want)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	if kept := check(data[:128+8*cols*39]); !slices.Equal(kept, []tiling.Rect{{R0: 0, R1: 10, C1: 6}, {R0: 5, R1: 20, C0: 2, C1: 5}}) {
		t.Errorf("of a truncated file: kept %v", kept)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Check(stopped, bytes.NewReader(data), info, records, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
