package matfile

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"matmul/internal/elem"
	"matmul/internal/failpoint"
)

// An Output is a matrix being written. Until Commit it has no name, or that of
// a part file, and its target is as before. Its elements may
// be written by [Write] or through [Output.File], by any number of goroutines
// and processes; those not written are zero.
//
// Either Commit, Abort or Leave must be called; after one of them, or after a
// Commit that failed, the others do nothing. They may be called from different
// goroutines.
type Output struct {
	Info // Path as the user named it; C order, little-endian, 2-D

	// Fsync makes a file or directory durable: os.File.Sync, or what a test
	// puts in its place.
	Fsync func(*os.File) error

	file  *os.File
	force bool
	place place

	flush   sync.Mutex
	flushed error // of an fsync of the elements that failed

	mu   sync.Mutex // guards done, and place.part from Create on
	done error      // why there is nothing more to commit; nil while there is
}

var errCommitted = errors.New("output already committed")
var errAborted = errors.New("output aborted")

// Create makes room for a matrix of rows × cols elements of type t (to be
// named path by Commit), all of it on disk, and writes its header. With force
// it may replace a file, whose permissions it then takes; a new file has what
// the umask leaves. The caller writes the elements and then calls Commit or
// Abort.
//
// The errors are those of [CheckOutput], and one that is [ErrNoSpace] where
// the disk, a quota or a limit is too small; nothing is left behind then.
// Create panics on a negative length or an invalid type: a caller's bug.
func Create(path string, rows, cols int64, t elem.Type, force bool) (*Output, error) {
	return create(path, rows, cols, t, force, true)
}

// Size returns the bytes of the file that [Create] makes for a matrix, or an
// error that is [ErrNoSpace].
func Size(rows, cols int64, t elem.Type) (int64, error) {
	size, ok := fileSize(int64(len(header(rows, cols, t))), rows, cols, t)
	if !ok {
		return 0, fmt.Errorf("%w: a %d × %d matrix of %s is more than 2^63 bytes", ErrNoSpace, rows, cols, t)
	}
	return size, nil
}

// create is Create; unnamed false makes it use a named part file even where a
// file without a name is possible.
func create(path string, rows, cols int64, t elem.Type, force, unnamed bool) (*Output, error) {
	return assemble(path, rows, cols, t, force, func(to target) (*os.File, place, error) {
		file, at, err := openPart(to, unnamed)
		if err != nil {
			err = outputError(path, "create", err)
		}
		return file, at, err
	})
}

// assemble makes an output of the file that open returns.
func assemble(path string, rows, cols int64, t elem.Type, force bool, open func(target) (*os.File, place, error)) (*Output, error) {
	if rows < 0 || cols < 0 || !t.Valid() {
		panic(fmt.Sprintf("matfile: create a %d × %d matrix of %s", rows, cols, t))
	}
	size, err := Size(rows, cols, t)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", printable(path), err)
	}
	head := header(rows, cols, t)
	to, err := resolve(path, force, nil)
	if err != nil {
		return nil, err
	}
	o := &Output{force: force, Fsync: (*os.File).Sync,
		Info: Info{Path: path, Rows: rows, Cols: cols, Dims: 2, Elem: t, Offset: int64(len(head))}}
	if o.file, o.place, err = open(to); err != nil {
		return nil, err
	}
	if err := o.prepare(head, size, to); err != nil {
		if o.place.found {
			o.Leave()
		}
		o.Abort()
		return nil, err
	}
	return o, nil
}

// prepare gives the new file its permissions, its size and its header.
func (o *Output) prepare(head []byte, size int64, to target) error {
	if to.old != nil {
		if err := o.file.Chmod(to.old.Mode().Perm()); err != nil {
			return outputError(o.Path, "set the permissions of", err)
		}
	}
	if err := reserve(o.file, to.dir, size); err != nil {
		return outputError(o.Path, fmt.Sprintf("reserve %d bytes for", size), err)
	}
	if _, err := o.file.WriteAt(head, 0); err != nil {
		return outputError(o.Path, "write the header of", err)
	}
	return nil
}

// File returns the open file: elements begin at o.Offset. It is for handing
// its descriptor to other processes; only the Output may close it.
func (o *Output) File() *os.File { return o.file }

// Sync makes the elements that have been written durable. It can go on beside
// a check that reads them. An fsync that failed is not repeated, since the
// kernel may have dropped what it could not write: its error is what later
// calls, and Commit, return.
func (o *Output) Sync() error {
	o.flush.Lock()
	defer o.flush.Unlock()
	if o.flushed == nil {
		o.flushed = o.Fsync(o.file)
	}
	return o.flushed
}

// Commit makes the matrix durable and then visible under its name: fsync,
// link or rename, fsync of the directory. If any of it fails, the target is
// what it was before and nothing else is left; the two exceptions are named
// in the error. A target that came into being since Create is an [*Error]
// without force. An fsync that failed is not repeated. A process that is
// killed in here while it replaces a file may leave the name
// .matmul-*.part beside it, of the new file or of the old.
func (o *Output) Commit() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done != nil {
		return fmt.Errorf("commit %s: %w", printable(o.Path), o.done)
	}
	if err := o.synced(); err != nil {
		return err
	}
	return o.committed(o.place.publish(o.file, o.force, o.Fsync))
}

// synced is the first part of a commit: the elements are made durable.
func (o *Output) synced() error {
	if err := o.Sync(); err != nil {
		o.fail()
		return o.commitError("sync", bare(err))
	}
	if err := failpoint.Hit("commit.synced"); err != nil {
		return o.committed(err)
	}
	return nil
}

// committed is the last part of a commit, which ended with err.
func (o *Output) committed(err error) error {
	if err != nil {
		o.fail()
		return o.commitError("commit", err)
	}
	o.discard(errCommitted)
	return nil
}

// fail ends a commit that failed.
func (o *Output) fail() {
	if o.place.lasting {
		o.close(errAborted)
		return
	}
	o.discard(errAborted)
}

func (o *Output) commitError(verb string, err error) error {
	if errors.Is(err, os.ErrExist) {
		return existsError(o.Path, err)
	}
	if isNoSpace(err) {
		return outputError(o.Path, verb, err)
	}
	return fmt.Errorf("%s %s: %w", verb, printable(o.Path), err)
}

// Abort gives the matrix up and leaves nothing of it.
func (o *Output) Abort() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done != nil {
		return nil
	}
	if err := o.discard(errAborted); err != nil {
		return fmt.Errorf("remove the part file of %s: %w", printable(o.Path), bare(err))
	}
	return nil
}

// Leave closes a part file of [CreatePart], for another process to go on with.
func (o *Output) Leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done == nil {
		o.close(errAborted)
	}
}

// discard removes the temporary name, if there is one, and closes the file.
func (o *Output) discard(why error) error {
	err := o.place.clear()
	o.close(why)
	return err
}

// close lets go of the file and its directory. Whatever was worth keeping has
// been synced.
func (o *Output) close(why error) {
	o.done = why
	o.place.dir.Close()
	o.file.Close()
}
