package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/tune"
)

// batchPlan is what batch --plan prints.
type batchPlan struct {
	Jobs    []jobPlan `json:"jobs"`
	Workers int       `json:"workers"`
	// Arriving has, for each priority, the longest wait of a job that arrives
	// while all others are there and none has begun.
	Arriving [batch.Priorities]waitPlan `json:"arriving"`
	Memory   int64                      `json:"memory_left_bytes"`
	Limit    string                     `json:"memory_limit"`
	// GFLOPS is what one processor was measured to do now while all workers compute,
	// Disk what the slower one of reading and writing the first job's files takes,
	// and Delay for how long they, and the master, may be behind.
	GFLOPS map[string]float64 `json:"gflops"`
	Disk   float64            `json:"disk_s_per_mib"`
	Delay  float64            `json:"delay_s"`
}

// jobPlan is one job of it.
type jobPlan struct {
	ID       string  `json:"id"`
	Seq      int     `json:"seq"`
	Priority int     `json:"priority"`
	M        int64   `json:"m"`
	N        int64   `json:"n"`
	K        int64   `json:"k"`
	DType    string  `json:"dtype"`
	State    string  `json:"state"`
	Alone    bool    `json:"alone"` // done by one processor
	Bytes    int64   `json:"memory_bytes"`
	Work     float64 `json:"work_s"` // of all its tasks, at most
	waitPlan
}

// waitPlan is the longest wait of a first task, and its parts.
type waitPlan struct {
	Blocking     float64 `json:"blocking_s"`
	Interference float64 `json:"interference_s"`
	Wait         float64 `json:"longest_wait_s"`
}

func newWaitPlan(w batch.Wait) waitPlan {
	return waitPlan{w.Blocking.Seconds(), w.Interference.Seconds(), w.Longest().Seconds()}
}

// plan prints what the jobs take and how long they may wait.
func (q *queue) plan() error {
	p := &batchPlan{Jobs: make([]jobPlan, len(q.items)), Workers: q.crew.workers,
		Memory: q.limit.bytes, Limit: q.limit.why, GFLOPS: map[string]float64{}}
	waits := q.waits()
	for i, it := range q.items {
		p.Jobs[i] = jobPlan{ID: it.ID, Seq: it.Seq, Priority: it.Priority, M: it.M, N: it.N, K: it.K, DType: it.elem.String(),
			State: it.state.String(), Alone: it.alone, Bytes: it.cost, Work: it.load.Total.Seconds(), waitPlan: newWaitPlan(waits[i])}
	}
	for priority := range p.Arriving {
		p.Arriving[priority] = newWaitPlan(q.waitOfArriving(priority))
	}
	if q.rates != nil {
		p.Disk, p.Delay = q.rates.disk.each*(1<<20), q.delay().Seconds()
		for t, s := range q.rates.compute {
			if s.each > 0 {
				p.GFLOPS[elem.Type(t).String()] = 1e-9 / s.each
			}
		}
	}
	return p.print(q.cmd.OutOrStdout(), q.asJSON)
}

// waitOfArriving returns the longest wait of a job that arrives now, of whichever
// kind.
func (q *queue) waitOfArriving(priority int) batch.Wait {
	arriving := batch.Load{Priority: priority, Seq: math.MaxInt}
	alone := arriving
	alone.Alone = time.Nanosecond
	last := len(q.items)
	w, a := q.waits(arriving)[last], q.waits(alone)[last]
	if a.Longest() > w.Longest() {
		return a
	}
	return w
}

func (p *batchPlan) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(p)
	}
	seconds := func(s float64) string { return strings.TrimSpace(duration(s)) }
	t := newTable("job", "priority", "m×n×k", "state", "by", "memory", "work", "longest wait")
	for i := range p.Jobs {
		j := &p.Jobs[i]
		by := "workers"
		if j.Alone {
			by = "one"
		}
		t.row(oneLine(j.ID), fmt.Sprint(j.Priority), fmt.Sprintf("%d×%d×%d", j.M, j.N, j.K), j.State, by,
			tune.FormatBytes(j.Bytes), seconds(j.Work), seconds(j.Wait))
	}
	var text strings.Builder
	t.write(&text)
	fmt.Fprintf(&text, "nothing is computed or written; %d worker(s), limit %s\n", p.Workers, p.Limit)
	fmt.Fprintf(&text, "the first task of a job that arrives waits at most, by its priority:\n")
	for priority := len(p.Arriving) - 1; priority >= 0; priority-- {
		w := p.Arriving[priority]
		fmt.Fprintf(&text, "  %d  %10s = %s for what workers hold + %s for what goes first\n", priority,
			seconds(w.Wait), seconds(w.Blocking), seconds(w.Interference))
	}
	_, err := io.WriteString(out, text.String())
	return err
}
