package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what a program writes to slave can be read
// from master.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A recorder keeps what is written to a terminal.
type recorder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// TestBarsAreForTerminalsThatWantThem begins a product that takes a while with a
// terminal as standard error, and ends it when there are bars, or when there
// should have been.
func TestBarsAreForTerminalsThatWantThem(t *testing.T) {
	dir := operands(t, 2000)
	for i, test := range []struct {
		name  string
		env   string
		args  []string
		bars  bool
		quiet bool // nothing is written but the news of the end
	}{
		{"a terminal", "TERM=xterm", nil, true, false},
		{"NO_COLOR", "NO_COLOR=1", nil, true, false},
		{"a dumb terminal", "TERM=dumb", nil, false, false},
		{"quiet", "TERM=xterm", []string{"-q"}, false, true},
		{"never", "TERM=xterm", []string{"--progress", "never"}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			master, slave := terminal(t)
			out := fmt.Sprintf("c%d.npy", i)
			cmd := command(dir, append([]string{"run", "a.npy", "b.npy", "-o", out, "--isa", "generic", "--workers", "1", "--verify", "none"}, test.args...)...)
			cmd.Env = append(os.Environ(), "TERM=xterm", test.env)
			r := startWith(t, cmd, func(cmd *exec.Cmd) error {
				cmd.Stderr = slave
				return cmd.Start()
			})
			slave.Close()
			var shown recorder
			closed := make(chan struct{})
			go func() {
				io.Copy(&shown, master) // until the last writer is gone
				close(closed)
			}()
			bars := func() bool {
				return strings.Contains(shown.String(), "multiply [") && strings.Contains(shown.String(), " tiles")
			}
			if test.bars {
				eventually(t, testPatience, func() string {
					if len(r.ended) == 0 && !bars() {
						return fmt.Sprintf("no bars: %q", &shown)
					}
					return ""
				})
			} else {
				awaitWorkers(r, 1)
				time.Sleep(3 * patience)
			}
			syscall.Kill(r.pid(), syscall.SIGTERM)
			r.wait()
			<-closed
			text := shown.String()
			if bars() != test.bars || test.quiet && strings.TrimSpace(text) != "matmul: ended by signal: terminated" {
				t.Errorf("bars: %v, want %v; written is %q", bars(), test.bars, text)
			}
			s := &screen{}
			if _, err := s.Write([]byte(strings.ReplaceAll(text, "\r\n", "\n\r"))); err != nil {
				t.Error(err) // a colour, perhaps
			}
			if strings.Contains(s.String(), "multiply [") {
				t.Errorf("the screen is left with %q", s)
			}
		})
	}
}
