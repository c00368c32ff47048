package main

import (
	"fmt"
	"time"
)

// Between turns the harness waits until the threads that spin for more work
// have gone to sleep: at least pause, then until a window has passed in which
// the contender took no more than 2 % of a processor, but not beyond patience.
const (
	pause     = 20 * time.Millisecond
	window    = 5 * time.Millisecond
	quietTime = window / 50
	patience  = 2 * time.Second
)

// activity is what a child did when it was not its turn.
type activity struct {
	since  time.Time     // the end of its last turn, when it had gone quiet
	before time.Duration // its processor time then

	stray, idle time.Duration // processor time, and wall time, out of turn
	slowest     time.Duration // the longest that it took to go quiet
	restless    int           // turns after which it did not
}

// settle waits until the child is quiet.
func (c *child) settle() {
	start := time.Now()
	time.Sleep(pause)
	for before := cpuTime(c.pids); ; {
		time.Sleep(window)
		now := cpuTime(c.pids)
		if now-before <= quietTime {
			c.activity.slowest = max(c.activity.slowest, time.Since(start))
			break
		}
		if before = now; time.Since(start) > patience {
			c.activity.restless++
			break
		}
	}
	c.activity.since, c.activity.before = time.Now(), cpuTime(c.pids)
}

// awake adds up what the child did since it was quiet. It is called before its
// turn.
func (c *child) awake() {
	a := &c.activity
	if !a.since.IsZero() {
		a.stray += max(0, cpuTime(c.pids)-a.before)
		a.idle += time.Since(a.since)
	}
}

// reportIdle says how quiet the contenders were out of their turns.
func (a *arena) reportIdle() {
	for _, c := range a.players {
		act := &c.activity
		if act.idle == 0 {
			continue
		}
		fmt.Fprintf(a.log, "%-10s out of turn: %.3f %% of a processor; quiet %v after a turn at the latest",
			c.name, 100*act.stray.Seconds()/act.idle.Seconds(), act.slowest.Round(time.Millisecond))
		if act.restless > 0 {
			fmt.Fprintf(a.log, "; NOT quiet after %d turn(s): figures are disturbed", act.restless)
		}
		fmt.Fprintln(a.log)
	}
}
