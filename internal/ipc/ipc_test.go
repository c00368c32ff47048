package ipc

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"matmul/shmmat"
	"matmul/tune"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func cpus() []int {
	m, l := tune.Host().Detect()
	return l.Pins(m, 2) // nil on one processor
}

func TestEveryWayIsMeasuredAtEverySize(t *testing.T) {
	most := int64(0)
	curves, err := Measure(context.Background(), Options{CPUs: cpus(), Effort: 0, Progress: func(done, total int64) { most = max(most, done*100/total) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(curves) != len(Ways()) || most != 100 {
		t.Fatalf("%d curves, %d %% done", len(curves), most)
	}
	for _, c := range curves {
		if len(c.Samples) != len(Sizes()) {
			t.Errorf("%s: %d samples", c.Way, len(c.Samples))
		}
		for _, s := range c.Samples {
			if !(s.Seconds > 0) || s.Seconds > 60 {
				t.Errorf("%s: %d bytes in %g s", c.Way, s.Bytes, s.Seconds)
			}
		}
		if !(c.Line.Sigma >= 0) || !(c.Line.Bandwidth > 0) || math.IsNaN(c.Miss) {
			t.Errorf("%s: %+v, off by %g", c.Way, c.Line, c.Miss)
		}
	}
}

func TestMeasuringEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Measure(ctx, Options{CPUs: cpus(), Effort: 1, Progress: func(done, _ int64) {
		if done == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAPeerThatDiesIsAnError(t *testing.T) {
	l, err := newLink(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if _, err := l.handOver(context.Background(), Spinning, 64); err != nil {
		t.Fatal(err)
	}
	l.cmd.Process.Kill()
	if _, err := l.handOver(context.Background(), Asleep, 64); err == nil {
		t.Error("a dead peer took a message")
	}
}

func TestAPeerEndsWhenItIsTold(t *testing.T) {
	l, err := newLink(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.end.Send(shmmat.Task{Kind: shmmat.Quit})
	select {
	case <-l.dead:
	case <-time.After(time.Minute):
		t.Error("the peer goes on")
	}
}

func TestAVariableOfAUserIsRefused(t *testing.T) {
	if err := serve("yes"); err == nil {
		t.Error("served")
	}
}

// BenchmarkHandOver is one message in each way: what matmul ipc draws.
func BenchmarkHandOver(b *testing.B) {
	for _, w := range Ways() {
		b.Run(w.String(), func(b *testing.B) {
			restore, err := settleOn(cpus())
			if err != nil {
				b.Fatal(err)
			}
			defer restore()
			cpu := -1
			if c := cpus(); c != nil {
				cpu = c[1]
			}
			l, err := newLink(cpu)
			if err != nil {
				b.Fatal(err)
			}
			defer l.close()
			if _, err := l.measure(context.Background(), w, 64, 0); err != nil {
				b.Fatal(err)
			}
			var took []float64
			for b.Loop() {
				d, err := l.handOver(context.Background(), w, 4096)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, float64(d))
			}
			b.ReportMetric(tune.Median(took), "ns/message")
			b.ReportMetric(0, "ns/op") // with filling and resting
		})
	}
}
