//go:build failpoint

package failpoint

import (
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
	nth    int64
	action func() error
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
		nth, err := strconv.ParseInt(f[1], 10, 64)
		if action := actions[f[2]]; err == nil && nth >= 0 && action != nil {
			return &armed{name: f[0], nth: nth, action: action, file: os.Getenv("MATMUL_FAILPOINT_HITS")}
		}
	}
	panic(fmt.Sprintf("failpoint: MATMUL_FAILPOINT=%q: want NAME:NTH:ACTION", spec))
})

// Hit tells that the step with the given name is reached. If this is the hit
// that the environment names, its action is taken.
func Hit(name string) error {
	a := environment()
	if a.name != name {
		return nil
	}
	n, err := a.count()
	if err != nil {
		panic(fmt.Sprintf("failpoint: count hits of %s: %v", name, err))
	}
	if n != a.nth {
		return nil
	}
	if err := a.action(); err != nil {
		return fmt.Errorf("failpoint %s: %w", name, err)
	}
	return nil
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
