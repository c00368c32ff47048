package tune

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestRecordedMachinesAreAsTheirDescriptionSays(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			m, l := r.extract(t).Detect()
			for _, line := range r.expect {
				key, want, ok := strings.Cut(line, ":")
				if !ok {
					t.Fatalf("no key in %q", line)
				}
				got, err := answer(m, l, key)
				if err != nil {
					t.Fatal(err)
				}
				if want = strings.TrimSpace(want); got != want {
					t.Errorf("%s\n got %s\nwant %s", key, got, want)
				}
			}
			if len(r.expect) < 8 {
				t.Errorf("only %d expectations", len(r.expect))
			}
		})
	}
}

// answer returns the line of an expectation: what detection found under key.
func answer(m *Machine, l *Limits, key string) (string, error) {
	switch key {
	case "processor":
		return m.Processor, nil
	case "machine":
		return fmt.Sprintf("%d processors, %d cores, %d packages", len(m.CPUs), len(m.Cores), m.Packages), nil
	case "nodes":
		return list(m.Nodes, func(n Node) string { return fmt.Sprintf("%d=%s", n.ID, FormatCPUs(n.CPUs)) }), nil
	case "classes":
		return list(m.Classes, func(c Class) string { return c.Name + "=" + FormatCPUs(c.CPUs) }), nil
	case "caches":
		return strconv.Itoa(len(m.Caches)), nil
	case "limits":
		return list(l.MemoryLimits, func(l MemoryLimit) string { return l.Source + "=" + strconv.FormatInt(l.Free(), 10) }), nil
	case "cpu limits":
		return list(l.CPULimits, func(l CPULimit) string { return fmt.Sprintf("%s=%g", l.Source, l.CPUs) }), nil
	case "workers":
		w := l.Workers(m)
		return fmt.Sprintf("%d, %s", w.N, w.Why), nil
	case "memory":
		return fmt.Sprintf("%d, %s", l.Memory().Bytes, l.Memory().Limiter.Source), nil
	case "shm":
		return strconv.FormatInt(l.SharedMemory, 10), nil
	case "warnings":
		return strings.Join(append(m.Warnings, l.Warnings...), "; "), nil
	}
	if n, ok := number(key, "pins of "); ok {
		if pins := l.Pins(m, n); pins != nil {
			return list(pins, strconv.Itoa), nil
		}
		return "none", nil
	}
	if n, ok := number(key, "share of "); ok {
		return sizes(l.WorkerCaches(m, n)), nil
	}
	if cpu, ok := number(key, "caches above "); ok {
		return describe(m, cpu), nil
	}
	return "", errors.New("unknown key " + key)
}

func number(key, prefix string) (int, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	n, err := strconv.Atoi(rest)
	return n, ok && err == nil
}

func list[T any](all []T, text func(T) string) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = text(v)
	}
	return strings.Join(words, " ")
}

func sizes(s CacheSizes) string { return fmt.Sprintf("%d %d %d", s.L1, s.L2, s.L3) }

// describe lists the caches above a processor: "L1 Data 32 KiB 8 64 0,40 sysfs | ...".
func describe(m *Machine, cpu int) string {
	var words []string
	for _, c := range m.Caches {
		if len(within([]int{cpu}, c.CPUs)) > 0 {
			words = append(words, fmt.Sprintf("L%d %s %s %d %d %s %s",
				c.Level, c.Type, FormatBytes(c.Size), c.Ways, c.Line, FormatCPUs(c.CPUs), c.Source))
		}
	}
	return strings.Join(words, " | ")
}

// The recordings share one machine with the program that reads them, but
// nothing of it may shine through.
func TestRecordedMachinesDoNotSeeTheHost(t *testing.T) {
	m, l := System{Root: t.TempDir()}.Detect()
	if len(m.CPUs) != 1 || len(l.Affinity) != 1 || l.Memory().Bytes != defaultMemory {
		t.Errorf("an empty tree has %v, %v, %d bytes", m.CPUs, l.Affinity, l.Memory().Bytes)
	}
	if l.SharedMemory != -1 || l.Memory().Bytes > math.MaxInt64/2 {
		t.Errorf("an empty tree has %d bytes in /dev/shm", l.SharedMemory)
	}
	if got := m.Share(l.Pins(m, 1)); got != (CacheSizes{defaultL1, defaultL2, defaultL3Share}) {
		t.Errorf("an empty tree has caches %+v", got)
	}
}
