package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime returns the processor time that the threads of the processes have
// had so far; threads that have ended do not count. What cannot be read counts
// as nothing.
func cpuTime(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, t := range tasks {
			sum += taskTime(t)
		}
	}
	return sum
}

// taskTime reads nanoseconds from schedstat, or clock ticks from stat where the
// kernel has no such file.
func taskTime(dir string) time.Duration {
	if text, err := os.ReadFile(dir + "/schedstat"); err == nil {
		ns, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		return time.Duration(n)
	}
	text, _ := os.ReadFile(dir + "/stat")
	return parseStat(string(text))
}

// tick is the unit of times in stat: USER_HZ is 100 wherever Go runs.
const tick = 10 * time.Millisecond

// parseStat adds fields 14 and 15 of proc_pid_stat(5). The name before them may
// hold anything, but after its last parenthesis comes field 3.
func parseStat(text string) time.Duration {
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * tick
}
