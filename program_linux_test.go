package matmul_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"matmul"
)

// programMark is the variable that turns the test's process into one of the
// programs; its value is the name of it.
const programMark = "MATMUL_TEST_PROGRAM"

// programs are written as users might write them. What they print ends up in
// the test.
var programs = map[string]func(){
	"waits": func() {
		matmul.Main()
		computing()
		select {} // with goroutines of the pool's that can wake up
	},
	"panics": func() {
		matmul.Main()
		computing()
		hear()
		panic("as it was told")
	},
	"forgets Close": func() {
		matmul.Main()
		computing()
		hear()
	},
	"never calls Main": func() {
		_, err := matmul.New(context.Background(), matmul.WithIsolation())
		fmt.Println(err)
	},
	"calls Main too late": func() {
		if os.Getenv("MATMUL_WORKER") == "" {
			matmul.Main()
		}
		_, err := matmul.New(context.Background(), matmul.WithIsolation(), matmul.WithWorkers(2))
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", " | "))
	},
}

// programIfTold does not return if this process is to be one of the programs.
// It comes before Main: not every program calls that.
func programIfTold() {
	if p, ok := programs[os.Getenv(programMark)]; ok {
		p()
		os.Exit(0)
	}
}

// computing opens pools of both kinds with workers that have worked, and says
// so.
func computing() {
	ctx := context.Background()
	isolated, err := matmul.New(ctx, matmul.WithIsolation(), matmul.WithWorkers(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	shared, err := matmul.New(ctx, matmul.WithWorkers(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	const n = 200
	a, err := shared.NewDense(n, n)
	if err != nil {
		fmt.Println(err)
		return
	}
	var c mat.Dense
	fmt.Println("computed:", matmul.Mul(ctx, isolated, &c, a, a), matmul.Mul(ctx, shared, &c, a, a))
}

// hear waits for a line of standard input.
func hear() { bufio.NewReader(os.Stdin).ReadString('\n') }

// run starts a program, and returns it, its standard input, the first line that
// it printed and the processes that it had started by then.
func startProgram(t *testing.T, name string) (cmd *exec.Cmd, said string, children []int) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), programMark+"="+name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(limited(t), func() { cmd.Process.Kill() })
	t.Cleanup(func() { stop() })
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: said %q: %v", name, said, err)
	}
	children = childrenOf(cmd.Process.Pid)
	fmt.Fprintln(in)
	return cmd, strings.TrimSpace(said), children
}

func TestProcessesAreGoneWithTheirProgram(t *testing.T) {
	for name, kill := range map[string]bool{"waits": true, "panics": false, "forgets Close": false} {
		t.Run(name, func(t *testing.T) {
			cmd, said, children := startProgram(t, name)
			if said != "computed: <nil> <nil>" || len(children) == 0 {
				t.Errorf("it said %q with %d children", said, len(children))
			}
			if kill {
				cmd.Process.Kill()
			}
			cmd.Wait()
			settle(t, "processes", 0, func() int { return running(children) })
		})
	}
}

func TestProcessesNeedMain(t *testing.T) {
	cmd, said, _ := startProgram(t, "never calls Main")
	cmd.Wait()
	if !strings.Contains(said, matmul.ErrNoProcesses.Error()) || !strings.Contains(said, "Main") {
		t.Errorf("it said %q", said)
	}
}

// A child that reaches New would start children of its own, and they again.
func TestProcessesThatReachNewEnd(t *testing.T) {
	cmd, said, children := startProgram(t, "calls Main too late")
	cmd.Wait()
	if !strings.Contains(said, matmul.ErrWorkersLost.Error()) || !strings.Contains(said, "not Main first") {
		t.Errorf("it said %q", said)
	}
	settle(t, "processes", 0, func() int { return running(children) })
}
