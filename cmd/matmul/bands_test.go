package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"matmul/tune"
)

// A sampled run is one whose memory was looked at all the time.
type sampledRun struct {
	report
	most    int64 // sum of PSS of its processes, bytes
	samples int
}

// sampled does a run, whose C is c.npy.
func sampled(t *testing.T, dir string, args ...string) (s sampledRun) {
	t.Helper()
	r := start(t, dir, append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--json"}, args...)...)
	stop, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				s.most = max(s.most, groupMemory(r.pid()))
				s.samples++
			}
		}
	}()
	limit := testPatience
	if campaign {
		limit = time.Hour
	}
	code := r.waitFor(limit)
	close(stop)
	<-looked
	r.left(testPatience, "c.npy")
	if code != 0 {
		t.Fatalf("%v: exit status %d: %s", args, code, r.stderr.String())
	}
	if err := json.Unmarshal(r.stdout.Bytes(), &s.report); err != nil {
		t.Fatal(err)
	}
	return s
}

// inBands does a run in memory and one with little, and compares.
func inBands(t *testing.T, dir, memory string, args ...string) {
	t.Helper()
	whole := sampled(t, dir, args...)
	want := sum(t, filepath.Join(dir, "c.npy"))
	s := sampled(t, dir, append(args, "--memory", memory)...)
	limit, err := tune.ParseSize(memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d×%d×%d with %s: %s; %s at most in %d looks; %.2f of the speed of the run in memory; SHA-256 %s",
		s.M, s.N, s.K, memory, s.Bands.text(), tune.FormatBytes(s.most), s.samples,
		whole.Seconds.Total/s.Seconds.Total, want)
	if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
		t.Errorf("C has the SHA-256 %s, want %s", got, want)
	}
	if s.Bands == nil || s.Bands.Steps < 2 || whole.Bands != nil {
		t.Errorf("bands are %+v, and in memory %+v", s.Bands, whole.Bands)
	}
	if (s.most > limit && !raceDetector) || s.samples == 0 {
		t.Errorf("%d bytes were taken in %d looks, %d are the limit", s.most, s.samples, limit)
	}
}

// TestLargerThanMemory compares a square product in bands with the one in
// memory, and looks at what its processes take. In a campaign it is 12000×12000
// with 600 MiB:
//
//	go test -tags campaign -timeout 0 -v -run LargerThanMemory ./cmd/matmul
func TestLargerThanMemory(t *testing.T) {
	n, memory := 1600, "80MiB"
	if campaign {
		n, memory = 12000, "600MiB"
	}
	inBands(t, operands(t, n), memory)
	inBands(t, operands(t, 700), "44MiB", "--verify", "exact", "--isa", "generic", "--tile", "64x96")
}

// TestLongAndThinInLittleMemory does shapes of which one operand, or C, is much
// larger than the others with 64 MiB, or, in short, some that are smaller.
func TestLongAndThinInLittleMemory(t *testing.T) {
	shapes, memory := [][3]int{{1, 300000, 1}, {300000, 8, 8}, {8, 8, 300000}, {3000, 100, 3000}}, "50MiB"
	if campaign {
		shapes, memory = [][3]int{{1, 1e6, 1}, {1e6, 8, 8}, {8, 8, 1e6}, {20000, 300, 20000}}, "64MiB"
	}
	for _, s := range shapes {
		dir := operandsOf(t, s[0], s[1], s[2])
		whole := sampled(t, dir)
		want := sum(t, filepath.Join(dir, "c.npy"))
		r := sampled(t, dir, "--memory", memory)
		limit, _ := tune.ParseSize(memory)
		bands := "in memory"
		if r.Bands != nil {
			bands = r.Bands.text()
		}
		t.Logf("%v with %s: %s; %s at most in %d looks; %.2f s, in memory %.2f s", s, memory, bands,
			tune.FormatBytes(r.most), r.samples, r.Seconds.Total, whole.Seconds.Total)
		if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
			t.Errorf("%v: C has the SHA-256 %s, want %s", s, got, want)
		}
		if r.most > limit && !raceDetector {
			t.Errorf("%v: %d bytes were taken, %d are the limit", s, r.most, limit)
		}
	}
}

// TestTheLimitThatARefusalNamesWouldDo gives too little memory, and then what the
// refusal says.
func TestTheLimitThatARefusalNamesWouldDo(t *testing.T) {
	dir := operands(t, 300)
	would := regexp.MustCompile(`; (\d+) MiB would do\n$`)
	for _, args := range [][]string{{"--verify", "none"}, {"--verify", "freivalds", "--abft"}, {"--verify", "none", "--tile", "64x96", "--dtype", "float32"}} {
		args := append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--json"}, args...)
		r := start(t, dir, append(args, "--memory", "1KiB")...)
		said := ""
		if code := r.wait(); code == exitResource {
			said = r.stderr.String()
		}
		limit := would.FindStringSubmatch(said)
		if limit == nil {
			t.Fatalf("%v: standard error: %s", args, r.stderr.String())
		}
		runCommand(t, dir, append(args, "--memory", limit[1]+"MiB")...)
	}
}

// TestAKilledMasterIsResumedInBands kills the master of a product in bands at
// random moments, and every fourth time the resumed run, too. A run may have
// other bands than the one before, or none.
func TestAKilledMasterIsResumedInBands(t *testing.T) {
	from, to := runs(t, 4, 300)
	v := newVictim(t, 700, "38MiB", "40MiB", "38MiB", "auto")
	v.campaign(from, to, 19)
}

// forecast is what run --dry-run says.
func forecast(t *testing.T, dir string, memory int64) (o outline) {
	t.Helper()
	out := runCommand(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--verify", "none", "--memory", fmt.Sprint(memory), "--dry-run", "--json")
	if err := json.Unmarshal([]byte(out), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// matrices returns the bytes of panels and C in memory.
func (o outline) matrices() (n int64) {
	for region, bytes := range o.Regions {
		if region != "header" {
			n += bytes
		}
	}
	return n
}

// TestBandsReadAndWriteWhatIsForetold gives a square product memory for an
// eighth of A, B and C, beside what the processes take, and compares what the
// kernel counted with the dry run, and with the lower bound of 2mnk/√S.
func TestBandsReadAndWriteWhatIsForetold(t *testing.T) {
	n := int64(2000)
	if campaign {
		n = 6000
	}
	dir := operands(t, int(n))
	room := 3 * n * n // bytes
	low, high := room, room+1<<30
	for high-low > 64<<10 {
		if mid := (low + high) / 2; canPlan(t, dir, mid) && forecast(t, dir, mid).matrices() > room {
			high = mid
		} else {
			low = mid
		}
	}
	o := forecast(t, dir, low)
	before := transferred(t)
	runCommand(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--verify", "none", "--memory", fmt.Sprint(low))
	counted := transferred(t) - before
	foretold, bound := float64(o.Read+o.Write), 2*math.Pow(float64(n), 3)/math.Sqrt(float64(room/8))
	t.Logf("n = %d, %s for matrices: %s; the kernel counted %d bytes, %.4f times what was foretold, %.3f times the bound",
		n, tune.FormatBytes(o.matrices()), o.Bands.text(), counted, float64(counted)/foretold, float64(counted)/8/bound)
	if off := math.Abs(float64(counted)/foretold - 1); !(off <= 0.02) {
		t.Errorf("%d bytes were read and written, %.0f were foretold", counted, foretold)
	}
	if ratio := float64(counted) / 8 / bound; !(ratio <= 1.6) {
		t.Errorf("%.3f times the bound were read and written", ratio)
	}
}

// canPlan reports whether the product can be done with so much memory.
func canPlan(t *testing.T, dir string, memory int64) bool {
	t.Helper()
	return command(dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--verify", "none", "--memory", fmt.Sprint(memory), "--dry-run").Run() == nil
}

// transferred returns the bytes that this process, and those of its children
// that have ended, have read and written.
func transferred(t *testing.T) (sum int64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == "rchar:" || f[0] == "wchar:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n
		}
	}
	return sum
}
