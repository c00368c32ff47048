package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tune"
)

// errUsage is wrapped by errors about the command line.
var errUsage = errors.New("usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
}

// Limits of what the flags take.
const (
	maxWorkers = 1024
	maxReps    = 100_000
	quotedReps = 15 // fewer rounds are for a look, not for quoting
)

// options are the flags, and what follows from them and the machine.
type options struct {
	libs     []library
	sizes    []size
	dtype    elem.Type
	isa      gemm.ISA
	workers  int // 0 until resolved, unless given
	reps     int
	alone    float64       // share of its best that each core issues beside the turns of a round that counts; 0: all count
	within   time.Duration // how long to wait for such rounds
	asJSON   bool
	svg      string
	gonum    bool
	gonumMax int64

	kernel *gemm.Kernel
	limits *tune.Limits
	pins   []int // processor of each worker; nil if they are not pinned
}

// parseOptions reads the command line. The errors wrap errUsage, or are
// flag.ErrHelp after help was printed to log.
func parseOptions(args []string, log io.Writer) (*options, error) {
	o := &options{}
	sizes, dtype, isa := "1024,2048", "float64", "auto"
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("lib", "a CBLAS library as `NAME=PATH`; can be repeated (default: those found)", o.addLibrary)
	f.StringVar(&sizes, "sizes", sizes, "`LIST` of N or MxNxK")
	f.StringVar(&dtype, "dtype", dtype, "element type: float64 or float32")
	f.StringVar(&isa, "isa", isa, "matmul's instruction set: auto, generic, avx2 or avx512")
	f.IntVar(&o.workers, "workers", 0, "worker processes, and threads of each peer (default: as matmul chooses)")
	f.IntVar(&o.reps, "reps", quotedReps, "rounds; fewer than 15 are not to be quoted")
	f.Float64Var(&o.alone, "alone", 0, "count only rounds in which, beside each turn, each core issued this `SHARE` of the best or more: those in which nobody else used its second thread")
	f.DurationVar(&o.within, "within", 10*time.Minute, "with -alone, for how long to go on until there are enough rounds")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object per size and contender")
	f.StringVar(&o.svg, "svg", "", "draw GFLOP/s against size into `FILE`")
	f.BoolVar(&o.gonum, "gonum", false, "time gonum, too")
	f.Int64Var(&o.gonumMax, "gonum-max", 1024, "largest `N` (or product of as much work) that gonum is given")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		f.SetOutput(log)
		f.Usage()
		return nil, err
	} else if err != nil {
		return nil, usagef("%w", err)
	}
	if f.NArg() > 0 {
		return nil, usagef("unexpected argument %q", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return o, o.interpret(sizes, dtype, isa, given)
}

// interpret turns texts into values, and checks numbers.
func (o *options) interpret(sizes, dtype, isa string, given map[string]bool) (err error) {
	if o.sizes, err = parseSizes(sizes); err != nil {
		return usagef("-sizes: %w", err)
	}
	if o.dtype, err = elem.Parse(dtype); err != nil {
		return usagef("-dtype: %w", err)
	}
	if o.isa, err = gemm.ParseISA(isa); err != nil {
		return usagef("-isa: %w", err)
	}
	if given["workers"] && (o.workers < 1 || o.workers > maxWorkers) {
		return usagef("-workers %d: want 1 to %d", o.workers, maxWorkers)
	}
	if o.reps < 1 || o.reps > maxReps {
		return usagef("-reps %d: want 1 to %d", o.reps, maxReps)
	}
	if !(o.alone >= 0 && o.alone < 1) {
		return usagef("-alone %v: want a share below 1, such as 0.9", o.alone)
	}
	if o.within <= 0 {
		return usagef("-within %v: want a duration, such as 10m", o.within)
	}
	if o.gonumMax < 1 {
		return usagef("-gonum-max %d: want at least 1", o.gonumMax)
	}
	return nil
}

// addLibrary reads NAME=PATH.
func (o *options) addLibrary(text string) error {
	name, path, ok := strings.Cut(text, "=")
	if !ok || name == "" || path == "" {
		return fmt.Errorf("want NAME=PATH")
	}
	taken := name == nameMatmul || name == nameGonum || name == nameLimit
	if taken || slices.ContainsFunc(o.libs, func(l library) bool { return l.name == name }) {
		return fmt.Errorf("the name %q is taken", name)
	}
	o.libs = append(o.libs, library{name, path})
	return nil
}

// resolve fills in what was left to the machine.
func (o *options) resolve() (err error) {
	machine, limits := tune.Host().Detect()
	o.limits = limits
	if o.workers == 0 {
		o.workers = min(limits.Workers(machine).N, maxWorkers)
	}
	o.pins = limits.Pins(machine, o.workers)
	if o.kernel, err = gemm.Lookup(o.isa, o.dtype); err != nil {
		return usagef("-isa: %w", err)
	}
	if len(o.libs) == 0 {
		o.libs = findLibraries(exists)
	}
	return nil
}

// processors returns those that matmul's workers run on.
func (o *options) processors() []int {
	if o.pins != nil {
		return o.pins
	}
	return o.limits.Affinity
}
