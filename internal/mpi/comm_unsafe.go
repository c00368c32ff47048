//go:build mpi

package mpi

/*
#include <limits.h>
#include <stdlib.h>
#include <mpi.h>

// Handles of MPI are macros, integers or pointers, as the library likes: what
// names one of them is C.

static int init_funneled(int *provided) {
	return MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, provided);
}

static int is_funneled(int provided) { return provided >= MPI_THREAD_FUNNELED; }

// return_errors makes errors come back instead of ending the job, also those of
// the calls that belong to no communicator.
static int return_errors(MPI_Comm *world) {
	*world = MPI_COMM_WORLD;
	int err = MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
	return err ? err : MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

static int split(MPI_Comm c, int color, int key, MPI_Comm *part) {
	int err = MPI_Comm_split(c, color, key, part);
	return err ? err : MPI_Comm_set_errhandler(*part, MPI_ERRORS_RETURN);
}

// bytes_type makes the type of n bytes and the count of it: one, or n where that
// is an int.
static int bytes_type(size_t n, MPI_Datatype *t, int *count, int *derived) {
	*t = MPI_BYTE;
	*count = (int)n;
	*derived = n > INT_MAX;
	if (!*derived)
		return MPI_SUCCESS;
	*count = 1;
	const size_t unit = (size_t)1 << 30;
	int lengths[2] = {(int)(n / unit), (int)(n % unit)};
	MPI_Aint at[2] = {0, (MPI_Aint)(n / unit * unit)};
	MPI_Datatype types[2] = {MPI_DATATYPE_NULL, MPI_BYTE};
	int err = MPI_Type_contiguous((int)unit, MPI_BYTE, &types[0]);
	if (!err)
		err = MPI_Type_create_struct(2, lengths, at, types, t);
	if (!err)
		err = MPI_Type_commit(t);
	if (types[0] != MPI_DATATYPE_NULL)
		MPI_Type_free(&types[0]);
	return err;
}

static int type_bytes(size_t n, long long *size) {
	MPI_Datatype t;
	int count, derived;
	MPI_Count each;
	int err = bytes_type(n, &t, &count, &derived);
	if (!err)
		err = MPI_Type_size_x(t, &each);
	*size = (long long)each * count;
	if (derived)
		MPI_Type_free(&t);
	return err;
}

enum { BCAST, SEND, RECV };

// transfer begins a broadcast, or a message to or from a peer.
static int transfer(int what, void *buf, size_t n, int peer, MPI_Comm c, MPI_Request *r) {
	MPI_Datatype t;
	int count, derived;
	int err = bytes_type(n, &t, &count, &derived);
	if (err)
		return err;
	switch (what) {
	case BCAST: err = MPI_Ibcast(buf, count, t, peer, c, r); break;
	case SEND: err = MPI_Isend(buf, count, t, peer, 0, c, r); break;
	default: err = MPI_Irecv(buf, count, t, peer, 0, c, r);
	}
	if (derived)
		MPI_Type_free(&t); // lives on until the transfer has ended
	return err;
}

// A gathering is what a gathering of all pieces at all ranks needs until it has ended.
typedef struct {
	MPI_Datatype vector;
	int *counts, *at; // of vectors, for each rank
} gathering;

static void end_gathering(gathering *g) {
	MPI_Type_free(&g->vector);
	free(g->counts);
	free(g);
}

// new_gathering makes room for so many ranks, and the type of a vector of n bytes.
static gathering *new_gathering(int ranks, size_t n, int *err) {
	MPI_Datatype t;
	int count, derived;
	*err = bytes_type(n, &t, &count, &derived);
	if (*err)
		return NULL;
	gathering *g = malloc(sizeof *g);
	g->counts = malloc(2 * ranks * sizeof *g->counts);
	g->at = g->counts + ranks;
	*err = MPI_Type_contiguous(count, t, &g->vector);
	if (!*err)
		*err = MPI_Type_commit(&g->vector);
	if (derived)
		MPI_Type_free(&t);
	return g;
}

static int allgather(void *buf, gathering *g, MPI_Comm c, MPI_Request *r) {
	return MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, buf, g->counts, g->at, g->vector, c, r);
}

static int max_int64(long long *v, MPI_Comm c, MPI_Request *r) {
	return MPI_Iallreduce(MPI_IN_PLACE, v, 1, MPI_LONG_LONG, MPI_MAX, c, r);
}

static int gather(void *mine, void *all, int n, int root, MPI_Comm c) {
	return MPI_Gather(mine, n, MPI_BYTE, all, n, MPI_BYTE, root, c);
}

static int test(MPI_Request *r, int *done) { return MPI_Test(r, done, MPI_STATUS_IGNORE); }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// An Error is what a call of MPI returned.
type Error struct {
	Call string
	Text string // in the library's words, on one line
}

// Error names the call.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Call, e.Text) }

// check makes an error of what a call returned.
func check(call string, code C.int) error {
	if code == C.MPI_SUCCESS {
		return nil
	}
	var text [C.MPI_MAX_ERROR_STRING]C.char
	var n C.int
	C.MPI_Error_string(code, &text[0], &n)
	return &Error{call, strings.Join(strings.Fields(C.GoStringN(&text[0], n)), " ")}
}

// Library returns the name and version of the MPI library, on one line. It can
// be called before Init.
func Library() string {
	var text [C.MPI_MAX_LIBRARY_VERSION_STRING]C.char
	var n C.int
	if check("MPI_Get_library_version", C.MPI_Get_library_version(&text[0], &n)) != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(C.GoStringN(&text[0], n), "\n")
	return strings.Join(strings.Fields(line), " ")
}

// A Comm is a communicator: ranks 0 to Size−1, of which this process is Rank.
type Comm struct {
	handle     C.MPI_Comm
	Rank, Size int
}

// Init initialises MPI and returns the communicator of all ranks. It locks the
// calling goroutine to its thread, for good. Collective.
func Init() (*Comm, error) {
	runtime.LockOSThread()
	var provided C.int
	if err := check("MPI_Init_thread", C.init_funneled(&provided)); err != nil {
		return nil, err
	}
	if C.is_funneled(provided) == 0 {
		return nil, errors.New("this MPI library has no MPI_THREAD_FUNNELED")
	}
	w := &Comm{}
	if err := check("MPI_Comm_set_errhandler", C.return_errors(&w.handle)); err != nil {
		return nil, err
	}
	return w, w.locate()
}

// locate asks for rank and size.
func (c *Comm) locate() error {
	var rank, size C.int
	err := check("MPI_Comm_rank", C.MPI_Comm_rank(c.handle, &rank))
	if err == nil {
		err = check("MPI_Comm_size", C.MPI_Comm_size(c.handle, &size))
	}
	c.Rank, c.Size = int(rank), int(size)
	return err
}

// Finalize ends the use of MPI. Collective.
func Finalize() error {
	C.MPI_Barrier(C.MPI_COMM_WORLD) // MPICH over UCX's TCP often hangs if some come later than others
	return check("MPI_Finalize", C.MPI_Finalize())
}

// Abort ends all ranks at once, with the exit status code. It does not return.
func (c *Comm) Abort(code int) { C.MPI_Abort(c.handle, C.int(code)) }

// Split returns the communicator of the ranks that give the same color, in the
// order of their ranks here. Collective.
func (c *Comm) Split(color int) (*Comm, error) {
	part := &Comm{}
	if err := check("MPI_Comm_split", C.split(c.handle, C.int(color), C.int(c.Rank), &part.handle)); err != nil {
		return nil, err
	}
	return part, part.locate()
}

// Free gives a communicator that Split has made back. Collective.
func (c *Comm) Free() error { return check("MPI_Comm_free", C.MPI_Comm_free(&c.handle)) }

// A Request is a transfer under way.
type Request struct {
	call   string
	handle C.MPI_Request
	needs  *C.gathering // nil for none
}

// Done reports whether the transfer has ended, and drives it. It must not be
// called again after an error.
func (r *Request) Done() (bool, error) {
	var done C.int
	if err := check(r.call, C.test(&r.handle, &done)); err != nil {
		return false, err
	}
	if done != 0 && r.needs != nil {
		C.end_gathering(r.needs)
		r.needs = nil
	}
	return done != 0, nil
}

// Bcast begins to copy the buffer of root to all other ranks'. Collective.
func (c *Comm) Bcast(buf []byte, root int) (*Request, error) {
	return c.transfer("MPI_Ibcast", C.BCAST, buf, root)
}

// Allgather begins to bring pieces of buf to all ranks. It consists of vectors of
// so many bytes; the i-th rank has the i-th piece, of counts[i] of them, and
// receives the others. Collective.
func (c *Comm) Allgather(buf []byte, vector int64, counts []int) (*Request, error) {
	r := &Request{call: "MPI_Iallgatherv"}
	var code C.int
	g := C.new_gathering(C.int(c.Size), C.size_t(vector), &code)
	if err := check("MPI_Type_commit", code); err != nil {
		return nil, err
	}
	for i, at := 0, 0; i < c.Size; i++ {
		unsafe.Slice(g.counts, c.Size)[i], unsafe.Slice(g.at, c.Size)[i] = C.int(counts[i]), C.int(at)
		at += counts[i]
	}
	r.needs = g
	return r, check(r.call, C.allgather(unsafe.Pointer(unsafe.SliceData(buf)), g, c.handle, &r.handle))
}

// Send begins to send a message, which the rank to receives by Receive.
func (c *Comm) Send(buf []byte, to int) (*Request, error) {
	return c.transfer("MPI_Isend", C.SEND, buf, to)
}

// Receive begins to receive a message of len(buf) bytes at most.
func (c *Comm) Receive(buf []byte, from int) (*Request, error) {
	return c.transfer("MPI_Irecv", C.RECV, buf, from)
}

func (c *Comm) transfer(call string, what C.int, buf []byte, peer int) (*Request, error) {
	r := &Request{call: call}
	p := unsafe.Pointer(unsafe.SliceData(buf))
	return r, check(call, C.transfer(what, p, C.size_t(len(buf)), C.int(peer), c.handle, &r.handle))
}

// Max begins to replace the number by the largest of all ranks'. It must lie in
// memory that Alloc has returned. Collective.
func (c *Comm) Max(v *int64) (*Request, error) {
	r := &Request{call: "MPI_Iallreduce"}
	return r, check(r.call, C.max_int64((*C.longlong)(unsafe.Pointer(v)), c.handle, &r.handle))
}

// Gather returns what every rank gives, equally many bytes each, one after the
// other in the order of the ranks; nil except at root. It waits. Collective.
func (c *Comm) Gather(mine []byte, root int) (all []byte, err error) {
	to := unsafe.Pointer(nil)
	if c.Rank == root {
		all = make([]byte, len(mine)*c.Size)
		to = unsafe.Pointer(unsafe.SliceData(all))
	}
	from := unsafe.Pointer(unsafe.SliceData(mine))
	return all, check("MPI_Gather", C.gather(from, to, C.int(len(mine)), C.int(root), c.handle))
}

// Alloc returns n zeroed bytes outside Go's heap, for buffers of transfers. They
// are there until Free, or the end of the process.
func Alloc(n int) []byte {
	p := C.calloc(C.size_t(n), 1)
	if p == nil {
		panic("mpi: out of memory")
	}
	return unsafe.Slice((*byte)(p), n)
}

// Free gives back what Alloc has returned and no transfer uses any more.
func Free(b []byte) { C.free(unsafe.Pointer(unsafe.SliceData(b))) }

// AllocInt64 is Alloc for a number.
func AllocInt64() *int64 { return (*int64)(unsafe.Pointer(unsafe.SliceData(Alloc(8)))) }

// typeBytes returns the bytes of the type and count by which n bytes travel.
func typeBytes(n int64) (int64, error) {
	var size C.longlong
	err := check("MPI_Type_size_x", C.type_bytes(C.size_t(n), &size))
	return int64(size), err
}
