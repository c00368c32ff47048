//go:build failpoint

package failpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// An armed hook is what the environment asks for.
type armed struct {
	name   string
	from   int64 // the first hit at which the action is taken
	to     int64 // and the last
	action func() error
	flip   bool         // the action is to flip
	bit    int64        // this one
	file   string       // counts for all processes; "" for none
	hits   atomic.Int64 // of this process
}

var actions = map[string]func() error{
	"kill":  func() error { return signal(syscall.SIGKILL) },
	"stop":  func() error { return signal(syscall.SIGSTOP) },
	"exit":  func() error { os.Exit(1); return nil },
	"error": func() error { return ErrInjected },
}

func signal(s syscall.Signal) error { return syscall.Kill(os.Getpid(), s) }

// environment reads the hook that is armed, once. What cannot be understood
// ends the process: a test with a misspelt hook would show nothing.
var environment = sync.OnceValue(func() *armed {
	spec := os.Getenv("MATMUL_FAILPOINT")
	if spec == "" {
		return &armed{}
	}
	f := strings.Split(spec, ":")
	if len(f) == 3 && f[0] != "" {
		a := &armed{name: f[0], action: actions[f[2]], file: os.Getenv("MATMUL_FAILPOINT_HITS")}
		from, to, several := strings.Cut(f[1], "-")
		if !several {
			to = from
		}
		var err, err2, err3 error
		a.from, err = strconv.ParseInt(from, 10, 64)
		a.to, err2 = strconv.ParseInt(to, 10, 64)
		var bit string
		if bit, a.flip = strings.CutPrefix(f[2], "flip="); a.flip {
			a.bit, err3 = strconv.ParseInt(bit, 10, 64)
		}
		if errors.Join(err, err2, err3) == nil && a.from >= 0 && a.from <= a.to && a.bit >= 0 && (a.flip || a.action != nil) {
			return a
		}
	}
	panic(fmt.Sprintf("failpoint: MATMUL_FAILPOINT=%q: want NAME:NTH:ACTION", spec))
})

// Hit tells that the step with the given name is reached. If this is a hit that
// the environment names, its action is taken.
func Hit(name string) error {
	a := environment()
	if a.flip || !a.hit(name) {
		return nil
	}
	if err := a.action(); err != nil {
		return fmt.Errorf("failpoint %s: %w", name, err)
	}
	return nil
}

// Flip tells that the step with the given name is reached, at which mem has just
// been written, or is about to be used. If this is a hit that the environment
// names, a bit of mem is flipped.
func Flip(name string, mem []byte) {
	if a := environment(); a.flip && a.hit(name) {
		bit := a.bit % int64(8*len(mem))
		mem[bit/8] ^= 1 << (bit % 8)
	}
}

// hit counts a hit, if it is one of the armed hook, and reports whether the
// action is due.
func (a *armed) hit(name string) bool {
	if a.name != name {
		return false
	}
	n, err := a.count()
	if err != nil {
		panic(fmt.Sprintf("failpoint: count hits of %s: %v", name, err))
	}
	return a.from <= n && n <= a.to
}

// count counts one hit and returns its number.
func (a *armed) count() (int64, error) {
	if a.file == "" {
		return a.hits.Add(1), nil
	}
	f, err := os.OpenFile(a.file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write([]byte{'.'}); err != nil {
		return 0, err
	}
	return f.Seek(0, io.SeekCurrent) // behind the byte just written, whoever else writes
}
