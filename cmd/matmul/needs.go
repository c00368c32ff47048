package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"matmul/internal/sys"
	"matmul/internal/verify"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
)

// needs is what a job takes of the machine, known before any of it is taken.
type needs struct {
	layout   shmmat.Layout // of what lies in segments
	kind     shmmat.Kind
	dir      string // where a segment of kind file lies
	workers  int64
	each     int64  // bytes of a worker: its runtime, its buffers and its scratch
	extra    int64  // bytes that the command takes beside the workers,
	extraFor string // and what for
	check    int64  // bytes that verification takes, when the workers have ended
	output   int64  // bytes of the output's file; 0 without one
	there    int64  // bytes of them that the part file of an earlier run has
	outDir   string
}

// perProcess is what a worker takes besides the segment and its scratch: its
// runtime, its buffers, and what the kernel keeps for it. perMaster is what the
// command takes itself while workers compute.
const (
	perProcess = 12 << 20
	perMaster  = 20 << 20
)

// newNeeds returns what a job without files takes.
func newNeeds(c *crew, plan *master.Plan, dir string) *needs {
	return &needs{layout: plan.Layout, kind: c.kind, dir: dir, workers: int64(c.workers), each: perProcess + plan.Scratch()}
}

// segments returns the bytes of the two segments of a pool.
func (n *needs) segments() int64 { return n.layout.Bytes() + n.control().Bytes() }

func (n *needs) control() shmmat.Layout {
	l, err := shmmat.NewLayout(shmmat.Lengths{shmmat.Control: shmmat.ControlSize(int(n.workers))})
	if err != nil {
		panic(err) // it has a few kilobytes per worker
	}
	return l
}

// A room is a directory whose file system a job takes space of.
type room struct {
	dir     string
	bytes   int64
	what    string
	segment bool // or else the output
	sys.FileSystem
}

// rooms returns where the job takes space, as far as the file systems tell.
func (n *needs) rooms() (rs []room) {
	output := n.output - n.there
	all := []room{{dir: n.outDir, bytes: output, what: "output " + tune.FormatBytes(output)}}
	what := fmt.Sprintf("segment %s (%s)", tune.FormatBytes(n.segments()), regionSum(n.layout))
	switch n.kind {
	case shmmat.Posix:
		all = append(all, room{dir: "/dev/shm", bytes: n.segments(), what: what, segment: true})
	case shmmat.File:
		all = append(all, room{dir: n.dir, bytes: n.segments(), what: what, segment: true})
	}
	for _, r := range all {
		if r.bytes == 0 {
			continue
		}
		var err error
		if r.FileSystem, err = sys.FileSystemOf(r.dir); err == nil {
			rs = append(rs, r)
		}
	}
	return rs
}

// inMemory returns the bytes of the output whose file system is in memory.
func (n *needs) inMemory() (bytes int64) {
	for _, r := range n.rooms() {
		if r.InMemory && !r.segment {
			bytes = r.bytes
		}
	}
	return bytes
}

// memory returns the bytes of memory that the job takes at most at a time, and
// their sum for people.
func (n *needs) memory() (total int64, sum string) {
	work := n.workers*n.each + n.extra
	parts := []string{fmt.Sprintf("%d worker(s) at %s", n.workers, tune.FormatBytes(n.each))}
	segment, kept := n.kind != shmmat.File, int64(0)
	for _, r := range n.rooms() {
		switch {
		case !r.InMemory:
		case r.segment:
			segment = true
		default:
			kept = r.bytes
			parts = append(parts, r.what+" in memory")
		}
	}
	if segment {
		work += n.segments()
		parts = append([]string{regionSum(n.layout)}, parts...)
	}
	if n.extra > 0 {
		parts = append(parts, n.extraFor+" "+tune.FormatBytes(n.extra))
	}
	if n.check > work {
		return n.check + kept, "verification " + tune.FormatBytes(n.check)
	}
	return work + kept, strings.Join(parts, ", ")
}

// addressSpace returns the bytes that one worker maps: two views of the data
// segment, the control segment, and its scratch.
func (n *needs) addressSpace() (total int64, sum string) {
	view := n.layout.Size + sys.HugePageSize
	total = 2*view + n.control().Size + sys.HugePageSize + n.each
	return total, fmt.Sprintf("a worker maps the segment of %s twice, and %s of its own", tune.FormatBytes(view), tune.FormatBytes(n.each))
}

// afford returns an error that shows the sum if something is not to be had.
func (n *needs) afford(l *tune.Limits) error {
	if err := n.affordFiles(l.FileSize); err != nil {
		return err
	}
	if err := n.affordMemory(l.MemoryLimits); err != nil {
		return err
	}
	return n.affordSpace()
}

// affordMemory compares with every limit of memory or address space.
func (n *needs) affordMemory(limits []tune.MemoryLimit) error {
	total, sum := n.memory()
	mapped, mappedSum := n.addressSpace()
	for _, limit := range limits {
		need, why := total, sum
		if limit.PerProcess() {
			need, why = mapped, mappedSum
		}
		if need > limit.Free() {
			return resourceError{fmt.Errorf("not enough memory: the job needs %s (%s), and %s", tune.FormatBytes(need), why, limit)}
		}
	}
	return nil
}

// affordCheck returns an error if verification takes more memory than is to be
// had.
func affordCheck(limits []tune.MemoryLimit, bytes int64) error {
	for _, limit := range limits {
		if bytes > limit.Free() {
			return resourceError{fmt.Errorf("not enough memory: verification needs %s, and %s", tune.FormatBytes(bytes), limit)}
		}
	}
	return nil
}

// checkGarbage is the percentage of what verification uses that Go's collector
// lets lie around. What is used are a few long vectors, which cost it nothing.
const checkGarbage = 25

// checkMemory returns the bytes that verification takes.
func checkMemory(m verify.Method, p *verify.Problem, o verify.Options) (int64, error) {
	bytes, err := verify.Memory(m, p, o)
	return bytes + bytes/100*checkGarbage, err
}

// runCheck verifies with as much garbage as checkMemory counts, from then on.
func runCheck(ctx context.Context, m verify.Method, p *verify.Problem, o verify.Options) (verify.Report, error) {
	debug.SetGCPercent(checkGarbage)
	return verify.Run(ctx, m, p, o)
}

// affordFiles compares with the limit of a file's size.
func (n *needs) affordFiles(limit int64) error {
	refuse := func(what string, size int64) error {
		return resourceError{fmt.Errorf("files may not be larger than %s (ulimit -f): the %s takes %s",
			tune.FormatBytes(limit), what, tune.FormatBytes(size))}
	}
	if n.output > limit {
		return refuse("output", n.output)
	}
	if size := n.layout.Size; n.kind != shmmat.SysV && size > limit {
		return refuse(n.kind.String()+" segment", size)
	}
	return nil
}

// affordSpace compares with what file systems have free. Two places may share
// one.
func (n *needs) affordSpace() error {
	rs := n.rooms()
	for _, r := range rs {
		need, sum, segment := int64(0), "", false
		for _, other := range rs {
			if other.ID == r.ID {
				need += other.bytes
				sum += ", " + other.what
				segment = segment || other.segment
			}
		}
		if need <= r.Free {
			continue
		}
		err := fmt.Errorf("not enough space in %s: the job needs %s (%s), free are %s",
			cmp.Or(strings.TrimSuffix(r.dir, "/"), "/"), tune.FormatBytes(need), strings.TrimPrefix(sum, ", "), tune.FormatBytes(r.Free))
		if segment {
			err = advise(err, "use --segment memfd")
		}
		return resourceError{err}
	}
	return nil
}

// regionSum lists what the regions of a segment take.
func regionSum(l shmmat.Layout) string {
	var parts []string
	for r, e := range l.At {
		if e.Len > 0 && shmmat.Region(r) != shmmat.Header {
			parts = append(parts, fmt.Sprintf("%s %s", shmmat.Region(r), tune.FormatBytes(e.Len)))
		}
	}
	return strings.Join(parts, " + ")
}
