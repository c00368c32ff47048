package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// examples returns the path of the examples of this project.
func examples(t *testing.T) string {
	dir, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// fails CODE LINE PROGRAM ARG... wants the program to end with the code and
// the one line on standard error, nothing on standard output, and every file
// below the current directory as it was. A * in LINE stands for whatever is
// different from machine to machine.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fails CODE LINE PROGRAM ARG...")
	}
	before := snapshot(ts.MkAbs("."))
	err := ts.Exec(args[2], args[3:]...)
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
	want := "^" + strings.ReplaceAll(regexp.QuoteMeta(args[1]), `\*`, ".*") + "$"
	got := ts.ReadFile("stderr")
	line, ok := strings.CutSuffix(got, "\n")
	switch {
	case !ok || strings.Contains(line, "\n"):
		ts.Fatalf("standard error is not one line:\n%s", got)
	case !regexp.MustCompile(want).MatchString(line):
		ts.Fatalf("standard error\n%s\nwant\n%s", line, args[1])
	case ts.ReadFile("stdout") != "":
		ts.Fatalf("there is something on standard output")
	}
	if after := snapshot(ts.MkAbs(".")); !slices.Equal(before, after) {
		ts.Fatalf("files were\n%s\nand are\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// snapshot lists what is below a directory: names, sizes and times.
func snapshot(dir string) (lines []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		st, err := d.Info()
		if err != nil {
			return nil
		}
		line := fmt.Sprintf("%s %v", path, st.Mode())
		if !d.IsDir() {
			line += fmt.Sprintf(" %d %v", st.Size(), st.ModTime())
		}
		lines = append(lines, line)
		return nil
	})
	return lines
}

// json FIELD|FIELD=VALUE... wants each line of the last standard output to be
// a JSON object with these fields. FIELD may lead into objects, as in a.b.
func jsonFields(ts *testscript.TestScript, neg bool, args []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	for n := 0; ; n++ {
		var object map[string]any
		if err := d.Decode(&object); err != nil {
			if n == 0 || d.More() {
				ts.Fatalf("object %d: %v", n, err)
			}
			return
		}
		for _, arg := range args {
			name, want, exact := strings.Cut(arg, "=")
			var v any = object
			for _, key := range strings.Split(name, ".") {
				o, _ := v.(map[string]any)
				v = o[key]
			}
			if v == nil || exact && fmt.Sprint(v) != want {
				ts.Fatalf("object %d: %s is %v", n, arg, v)
			}
		}
	}
}

// npy FILE DESCR C|F SHAPE [ELEMENT...] writes a file as numpy.save does;
// elements that are not given are 1. npy FILE -header DICT writes one with
// that header and 64 bytes of data.
func writeNpy(ts *testscript.TestScript, neg bool, args []string) {
	path, text, data := ts.MkAbs(args[0]), "", make([]byte, 64)
	if args[1] == "-header" {
		text = args[2]
	} else {
		text = fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s,), }",
			args[1], map[string]string{"C": "False", "F": "True"}[args[2]], args[3])
		text = strings.ReplaceAll(text, ",,", ",")
		elements, err := encode(args[1], args[3], args[4:])
		ts.Check(err)
		data = elements
	}
	text += strings.Repeat(" ", 64-(10+len(text)+1)%64) + "\n"
	head := append([]byte("\x93NUMPY\x01\x00"), byte(len(text)), byte(len(text)>>8))
	ts.Check(os.WriteFile(path, append(append(head, text...), data...), 0o666))
}

// values FILE SHAPE ELEMENT... wants the matrix in the file to be this.
func checkValues(ts *testscript.TestScript, neg bool, args []string) {
	got, err := decodeText(ts.MkAbs(args[0]))
	ts.Check(err)
	if want := strings.Join(args[1:], " "); got != want {
		ts.Fatalf("%s holds\n%s\nwant\n%s", args[0], got, want)
	}
}

// flip FILE BYTE flips the lowest bit of a byte, counted from the end if
// negative.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o666))
}

// truncate FILE SIZE cuts or extends a file.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

// limit BYTES makes a control group with that limit of memory, and puts it into
// the variable GROUP.
func limit(ts *testscript.TestScript, neg bool, args []string) {
	dir, err := newMemoryGroup(args[0])
	ts.Check(err)
	ts.Defer(func() { os.Remove(dir) })
	ts.Setenv("GROUP", dir)
}

// newMemoryGroup makes a control group with a limit of memory.
func newMemoryGroup(limit string) (string, error) {
	dir, err := newGroup("memory", "memory.limit_in_bytes", limit)
	if err != nil {
		dir, err = newGroup("", "memory.max", limit)
	}
	return dir, err
}

// newGroup makes a control group below this process's own, under a controller of
// version 1 or, without one, of version 2, and writes value into one of its files.
func newGroup(controller, file, value string) (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	roots := []string{"/sys/fs/cgroup/" + controller}
	if controller == "" {
		roots = append(roots, "/sys/fs/cgroup/unified")
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if parts[1] != controller {
			continue
		}
		for _, root := range roots {
			dir, err := os.MkdirTemp(filepath.Join(root, parts[2]), "matmul-test-")
			if err != nil {
				continue
			}
			if setGroup(dir, file, value) == nil {
				return dir, nil
			}
			os.Remove(dir)
		}
	}
	return "", errors.New("no control group can be made")
}

// setGroup writes value into a file that a control group has.
func setGroup(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// joinGroup makes cmd, when it is started, a member of a control group from its
// beginning on.
func joinGroup(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Args = append([]string{"sh", "-c", `echo $$ > "$0"/cgroup.procs && exec "$@"`, dir, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return cmd
}

// leaveGroup removes a control group when its processes have ended.
func leaveGroup(t *testing.T, dir string) {
	t.Cleanup(func() {
		eventually(t, testPatience, func() string {
			if err := os.Remove(dir); err != nil {
				return err.Error()
			}
			return ""
		})
	})
}

// quota MICROSECONDS bounds the processor time that the control group has in each
// tenth of a second, and puts a control group for it into the variable QUOTA:
// that of limit, or one of its own where each resource has its hierarchy.
func quota(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.Getenv("GROUP")
	if os.WriteFile(filepath.Join(dir, "cpu.max"), []byte(args[0]+" 100000"), 0) != nil {
		var err error
		dir, err = newQuotaGroup(args[0])
		ts.Check(err)
		ts.Defer(func() { os.Remove(dir) })
	}
	ts.Setenv("QUOTA", dir)
}

// newQuotaGroup makes a control group of the first version with a quota of
// processor time.
func newQuotaGroup(micros string) (string, error) {
	dir := fmt.Sprintf("/sys/fs/cgroup/cpu/matmul-test-%d", os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	err := os.WriteFile(filepath.Join(dir, "cpu.cfs_quota_us"), []byte(micros), 0)
	if err != nil {
		os.Remove(dir)
	}
	return dir, err
}

// runCommand runs the command to its end and returns its standard output.
func runCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := command(dir, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("matmul %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

// command prepares the command: this program under the name that testscript
// gave it.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("matmul", args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}
