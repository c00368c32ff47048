//go:build mpi

package mpi

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"matmul/tiling"
)

// rankVariable makes the test program a rank; its value is a file to write.
const rankVariable = "MATMUL_MPI_TEST_RANK"

func TestMain(m *testing.M) {
	if path := os.Getenv(rankVariable); path != "" {
		if err := rank(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// launcher returns the command that starts ranks of this library.
func launcher() []string {
	if given := os.Getenv("MPIEXEC"); given != "" {
		return strings.Fields(given)
	}
	if strings.HasPrefix(Library(), "Open MPI") {
		return []string{"mpiexec.openmpi", "--allow-run-as-root", "--oversubscribe"}
	}
	return []string{"mpiexec.mpich"}
}

// TestRanks runs every call under the launcher, with one rank and with several.
func TestRanks(t *testing.T) {
	for _, ranks := range []int{1, 2, 5} {
		t.Run(strconv.Itoa(ranks), func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("the ranks hang"))
			defer cancel()
			path := filepath.Join(t.TempDir(), "block")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			args := append(launcher(), "-n", strconv.Itoa(ranks), os.Args[0])
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Env = append(os.Environ(), rankVariable+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v, %v\n%s", args, err, context.Cause(ctx), out)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := matrix(ranks); !bytes.Equal(got[offset:], want) {
				t.Errorf("the file holds\n%v, want\n%v", got[offset:], want)
			}
		})
	}
}

// offset is where the matrix begins in the file, and cols its columns.
const (
	offset = 24
	cols   = 7
)

// matrix is what the ranks write: two rows each, of which rank 0 writes the
// first three columns and the last rank the others.
func matrix(ranks int) (b []byte) {
	for i := range 2 * cols {
		b = binary.NativeEndian.AppendUint64(b, uint64(i))
	}
	return b
}

// rank makes every call, and compares.
func rank(path string) error {
	w, err := Init()
	if err != nil {
		return err
	}
	if err := errors.Join(lengths(), largest(w), copies(w), pieces(w), rings(w), gathered(w), written(w, path)); err != nil {
		return fmt.Errorf("rank %d of %d: %w", w.Rank, w.Size, err)
	}
	return Finalize()
}

// wait drives requests until all are done.
func wait(rs ...*Request) error {
	for _, r := range rs {
		for done := false; !done; {
			var err error
			if done, err = r.Done(); err != nil {
				return err
			}
		}
	}
	return nil
}

// lengths looks at the types of lengths around the largest int.
func lengths() error {
	for _, n := range []int64{0, 1, 1<<31 - 1, 1 << 31, 5<<30 + 3, 1 << 40} {
		if got, err := typeBytes(n); err != nil || got != n {
			return fmt.Errorf("%d bytes travel as %d, %v", n, got, err)
		}
	}
	return nil
}

func largest(w *Comm) error {
	v := AllocInt64()
	*v = int64(w.Rank) - 5
	r, err := w.Max(v)
	if err == nil {
		err = wait(r)
	}
	if err == nil && *v != int64(w.Size)-6 {
		err = fmt.Errorf("the largest is %d", *v)
	}
	return err
}

// copies broadcasts from each rank of each half.
func copies(w *Comm) error {
	half, err := w.Split(w.Rank % 2)
	if err != nil {
		return err
	}
	for root := range half.Size {
		buf := Alloc(100_000)
		if half.Rank == root {
			for i := range buf {
				buf[i] = byte(i + root + w.Rank%2)
			}
		}
		r, err := half.Bcast(buf, root)
		if err == nil {
			err = wait(r)
		}
		if err != nil {
			return err
		}
		for i := range buf {
			if buf[i] != byte(i+root+w.Rank%2) {
				return fmt.Errorf("byte %d of root %d is %d", i, root, buf[i])
			}
		}
	}
	return half.Free()
}

// pieces brings pieces of different lengths, of which one is empty, to all ranks.
func pieces(w *Comm) error {
	const vector = 1000
	counts, total := make([]int, w.Size), 0
	for i := range counts {
		counts[i] = i
		total += i
	}
	buf, at := Alloc(total*vector), 0
	for i, n := range counts {
		if i == w.Rank {
			for j := range n * vector {
				buf[at+j] = byte(at + j)
			}
		}
		at += n * vector
	}
	r, err := w.Allgather(buf, vector, counts)
	if err == nil {
		err = wait(r)
	}
	for i, b := range buf {
		if err == nil && b != byte(i) {
			err = fmt.Errorf("byte %d of all pieces is %d", i, b)
		}
	}
	return err
}

// rings sends to the next rank and receives from the one before.
func rings(w *Comm) error {
	out, in := Alloc(1), Alloc(1)
	out[0] = byte(w.Rank)
	before := (w.Rank + w.Size - 1) % w.Size
	r, err := w.Receive(in, before)
	if err != nil {
		return err
	}
	s, err := w.Send(out, (w.Rank+1)%w.Size)
	if err == nil {
		err = wait(r, s)
	}
	if err == nil && in[0] != byte(before) {
		err = fmt.Errorf("received %d from rank %d", in[0], before)
	}
	return err
}

func gathered(w *Comm) error {
	all, err := w.Gather([]byte{byte(w.Rank), 1}, 0)
	for i := 0; err == nil && i < len(all); i += 2 {
		if int(all[i]) != i/2 || len(all) != 2*w.Size {
			err = fmt.Errorf("gathered %v", all)
		}
	}
	return err
}

// written writes the matrix: rank 0 and the last have a block, the others none.
func written(w *Comm, path string) error {
	f, err := w.OpenFile(path)
	if err != nil {
		return err
	}
	r := tiling.Rect{R0: 0, R1: 2}
	switch {
	case w.Size == 1:
		r.C1 = cols
	case w.Rank == 0:
		r.C1 = 3
	case w.Rank == w.Size-1:
		r.C0, r.C1 = 3, cols
	default:
		r.R1 = 0
	}
	all, mem := matrix(w.Size), Alloc(8*2*cols)
	n := 0
	for i := r.R0; i < r.R1; i++ {
		n += copy(mem[n:], all[8*(i*cols+r.C0):8*(i*cols+r.C1)])
	}
	if err := f.WriteBlock(mem[:n], offset, 8, 2, cols, r); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
