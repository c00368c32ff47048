package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The files in the temporary directory.
const (
	fileA   = "A.npy"
	fileB   = "B.npy"
	fileOut = "C.npy"
)

//go:embed product.py
var numpyProgram string

//go:embed about.py
var aboutProgram string

// ours is `matmul run` with all that it does by default.
func (o options) ours(dir string) *exec.Cmd {
	return exec.Command(o.matmul, "run", filepath.Join(dir, fileA), filepath.Join(dir, fileB),
		"-o", filepath.Join(dir, fileOut), "--workers", strconv.Itoa(o.workers), "--progress", "never")
}

// theirs is NumPy.
func (o options) theirs(dir string) *exec.Cmd {
	return o.pythonCommand(numpyProgram, filepath.Join(dir, fileA), filepath.Join(dir, fileB), filepath.Join(dir, fileOut))
}

// pythonCommand runs a program with as many threads as we have workers.
// OpenBLAS chooses its kernel and its blocks itself: what others may have set
// for it is not passed on.
func (o options) pythonCommand(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(o.python, append([]string{"-c", program}, args...)...)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "OPENBLAS_CORETYPE" && name != "OPENBLAS_L2_SIZE" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	n := strconv.Itoa(o.workers)
	cmd.Env = append(cmd.Env, "OPENBLAS_NUM_THREADS="+n, "OMP_NUM_THREADS="+n)
	return cmd
}

// about says what we are compared with.
func (o options) about() error {
	out, _, err := timed(o.pythonCommand(aboutProgram))
	if err == nil {
		fmt.Print(out)
	}
	return err
}

// timed runs a command and returns what it printed and how long it took, from
// its start until it was gone.
func timed(cmd *exec.Cmd) (out string, took time.Duration, err error) {
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	start := time.Now()
	err = cmd.Run()
	took = time.Since(start)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd.Path, err, text.String())
	}
	return text.String(), took, err
}

// clean removes a result and leaves nothing for the disk to do.
func clean(dir string) error {
	if err := os.Remove(filepath.Join(dir, fileOut)); err != nil && !os.IsNotExist(err) {
		return err
	}
	syscall.Sync()
	return nil
}
