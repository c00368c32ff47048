package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/tune"
)

// batchFlags are the flags of batch.
type batchFlags struct {
	poolFlags
	checkpoint, verify     string
	joblog, halt, memory   string
	resume, resumeFailed   bool
	force, asJSON, planned bool
	abft                   bool
	progress               *progressFlags
	trace                  *string
}

// The values of --halt.
const (
	haltNever = "never"
	haltSoon  = "soon"
	haltNow   = "now"
)

func newBatch() *cobra.Command {
	f := &batchFlags{}
	cmd := &cobra.Command{
		Use:   "batch JOBS",
		Short: "Do many products, by one pool of workers",
		Long: `batch does the products that a list names, in an order that their priorities and
what they come after decide. JOBS is a file of JSON Lines, an object on each line,
or - for standard input, whose jobs run as they come:

  {"id": "c", "a": "A.npy", "b": "B.npy", "out": "C.npy"}
  {"id": "e", "a": "C.npy", "b": "D.npy", "out": "E.npy", "after": ["c"]}

Besides a, b and out, which are needed, and id (default: out) a job may have the
fields c0, alpha, beta, trans_a, trans_b, dtype and verify, as run has flags, a
priority from 0 to 9 (9 first; default 5), and after, the ids of the jobs whose
outputs it reads. Each output appears under its name as that of run does.

All that is wrong with a list is said at once, and nothing runs then. A job that
fails does not stop the others, but those that come after it.

A job log has GNU parallel's columns, and a line for each job that has ended, once
its output is on disk. SIGTERM, SIGINT, SIGHUP and SIGUSR1 end a batch that has one
with exit status 75; --resume does what is left, also after a crash.`,
		Example: `  matmul batch jobs.jsonl --joblog jobs.log
  matmul batch jobs.jsonl --joblog jobs.log --resume
  matmul batch jobs.jsonl --plan
  make-jobs | matmul batch - --json`,
		Args: arguments("JOBS"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.poolFlags.register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.checkpoint, "checkpoint", checkpointAuto, "save finished rows of long jobs at this `INTERVAL`, as in 30s; off; or auto: 30s if a job may take longer than a minute")
	fl.StringVar(&f.verify, "verify", "freivalds", "check outputs before they get their names: freivalds, gonum, exact or none; a job's own field goes first")
	fl.BoolVar(&f.abft, "abft", false, "check each tile of all outputs by checksums, and do it again if a processor or memory failed")
	fl.StringVar(&f.memory, "memory", "auto", "memory that all jobs that run may take together, as in 600MiB (default: what the machine and the control group leave)")
	fl.StringVar(&f.joblog, "joblog", "", "write a line to this `FILE` for each job that has ended")
	fl.BoolVar(&f.resume, "resume", false, "pass over the jobs that the job log lists, and go on with what checkpoints have saved")
	fl.BoolVar(&f.resumeFailed, "resume-failed", false, "like --resume, but do failed jobs again")
	fl.StringVar(&f.halt, "halt", haltNever, "when a job fails, start no other (soon), or end those that run, too (now)")
	fl.BoolVar(&f.force, "force", false, "replace outputs, and a job log, that exist")
	fl.BoolVar(&f.planned, "plan", false, "print what the jobs take and how long they may wait, compute and write nothing")
	fl.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	f.progress, f.trace = progressFlag(cmd), traceFlag(cmd)
	complete(cmd, "verify", "freivalds", "gonum", "exact", "none")
	complete(cmd, "halt", haltNever, haltSoon, haltNow)
	complete(cmd, "checkpoint", checkpointAuto, checkpointOff, "30s")
	return cmd
}

// A queue is one call of batch under way.
type queue struct {
	*batchFlags
	cmd    *cobra.Command
	name   string // of the list, as errors show it
	crew   crew
	show   progress
	log    *batch.Log             // nil without --joblog
	listed map[string]batch.Entry // by command
	checks *batch.Checker
	items  []*item // in the order of the list
	byJob  map[*batch.Job]*item
	limit  ceiling // for all that runs together
	rates  *rates  // nil before the first job was examined; guarded by measuring
	tracer *tracer // nil without a trace

	mu     sync.Mutex // guards chosen
	chosen map[elem.Type]tuned

	measuring sync.Mutex
}

func (f *batchFlags) run(cmd *cobra.Command, list string) error {
	q, err := f.prepare(cmd, list)
	if err != nil {
		return err
	}
	if err := q.readLog(); err != nil {
		return err
	}
	from, stream := io.Reader(os.Stdin), list == "-"
	if !stream || f.planned {
		if !stream {
			file, err := openRegular(list)
			if err != nil {
				return listFileError(list, err)
			}
			defer file.Close()
			from = file
		}
		if err := q.readAll(batch.NewReader(from)); err != nil {
			return err
		}
	}
	if f.planned {
		return q.plan()
	}
	if err := q.makeLog(); err != nil {
		return err
	}
	if q.log != nil {
		defer q.log.Close()
		heed(cmd.Context(), syscall.SIGUSR1) // schedulers send it before they end a job
	}
	if q.tracer, err = createTrace(*f.trace, "matmul batch "+list, f.force); err != nil {
		return err
	}
	q.crew.trace = q.tracer.hook()
	var arriving *batch.Reader
	if stream {
		arriving = batch.NewReader(from)
	}
	return q.tracer.close(q.work(cmd.Context(), arriving))
}

// prepare checks the flags.
func (f *batchFlags) prepare(cmd *cobra.Command, list string) (q *queue, err error) {
	q = &queue{batchFlags: f, cmd: cmd, name: list, checks: batch.NewChecker(sameFile),
		byJob: map[*batch.Job]*item{}, chosen: map[elem.Type]tuned{}, listed: map[string]batch.Entry{}}
	if list == "-" {
		q.name = "standard input"
	}
	f.resume = f.resume || f.resumeFailed
	if _, err := parseMethod(f.verify); err != nil {
		return nil, flagError("verify", err)
	}
	if !slices.Contains([]string{haltNever, haltSoon, haltNow}, f.halt) {
		return nil, usagef("--halt %q: want never, soon or now", f.halt)
	}
	if f.resume && f.joblog == "" {
		return nil, usagef("--resume needs --joblog FILE")
	}
	if err := (&checkpointFlags{checkpoint: f.checkpoint}).check(false); err != nil {
		return nil, err
	}
	if q.show, err = newProgress(f.progress); err != nil {
		return nil, err
	}
	limit, err := parseMemory(f.memory)
	if err != nil {
		return nil, err
	}
	if q.crew, err = f.resolve(cmd); err == nil {
		budget := q.crew.limits.Memory()
		q.limit = ceiling{budget.Bytes, budget.Limiter.String()}
		if limit > 0 && limit < budget.Bytes {
			q.limit = ceiling{limit, "--memory " + tune.FormatBytes(limit)}
		}
	}
	return q, err
}

// parseMethod returns the method of verification that a name spells, "" for
// none.
func parseMethod(name string) (verify.Method, error) {
	if name == "none" {
		return "", nil
	}
	m, err := verify.ParseMethod(name)
	if err != nil {
		return "", fmt.Errorf("%q: want freivalds, gonum, exact or none", name)
	}
	return m, nil
}

// choose returns the sizes for an element type. It looks for a profile once.
func (q *queue) choose(t elem.Type) (tuned, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u, ok := q.chosen[t]; ok {
		return u, nil
	}
	u, err := q.crew.tuned(t)
	if err == nil {
		q.chosen[t] = u
	}
	return u, err
}

// readLog opens a job log that is there, to go on with it.
func (q *queue) readLog() error {
	if _, err := os.Lstat(q.joblog); q.joblog == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !q.resume {
		if !q.force && !q.planned {
			return q.logError(batch.ErrLogExists)
		}
		return nil
	}
	log, entries, err := batch.OpenLog(q.joblog)
	for _, e := range entries {
		q.listed[e.Command] = e // the last one counts
	}
	q.log = log
	return q.logError(err)
}

// makeLog makes the job log unless it is open, or none is wanted.
func (q *queue) makeLog() (err error) {
	if q.joblog == "" || q.log != nil {
		return nil
	}
	q.log, err = batch.CreateLog(q.joblog, q.force)
	return q.logError(err)
}

// logError says what is wrong with the job log.
func (q *queue) logError(err error) error {
	bad := (*batch.LogError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, batch.ErrLogExists):
		return &matfile.Error{Path: q.joblog, Problem: "exists", Advice: "use --resume to go on with it, or --force to begin anew", Err: err}
	case errors.Is(err, batch.ErrLogInUse):
		return &matfile.Error{Path: q.joblog, Problem: err.Error(), Advice: "wait for its end, or stop it", Err: err}
	case errors.As(err, &bad):
		return &matfile.Error{Path: q.joblog, Problem: bad.Error(), Advice: "choose another --joblog", Err: err}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EROFS):
		return &matfile.Error{Path: q.joblog, Problem: "cannot be written: " + bareError(err).Error(), Err: err}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return resourceError{fmt.Errorf("write %s: %w", q.joblog, bareError(err))}
	}
	return fmt.Errorf("write %s: %w", q.joblog, bareError(err))
}

// bareError returns the system's error without the call and the path that
// package os puts before it.
func bareError(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

func listFileError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errIrregular) {
		return &matfile.Error{Path: path, Problem: "cannot be read: " + bareError(err).Error(), Want: "a list of jobs, or - for standard input", Err: err}
	}
	return fmt.Errorf("read %s: %w", path, bareError(err))
}
