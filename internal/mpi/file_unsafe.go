//go:build mpi

package mpi

/*
#include <stdlib.h>
#include <mpi.h>

static int open_file(MPI_Comm c, const char *path, MPI_File *f) {
	return MPI_File_open(c, path, MPI_MODE_WRONLY, MPI_INFO_NULL, f);
}

// write_block writes rows × cols elements of size bytes, contiguous at buf, as
// the block at (r0, c0) of a matrix of m × n elements, row-major, that begins at
// offset. A rank without elements takes part with none.
static int write_block(MPI_File f, MPI_Offset offset, int size, int m, int n,
		int r0, int c0, int rows, int cols, void *buf) {
	MPI_Datatype element = size == 8 ? MPI_DOUBLE : MPI_FLOAT;
	MPI_Datatype block = element, row = element;
	int some = rows > 0 && cols > 0, err = MPI_SUCCESS;
	if (some) {
		int sizes[2] = {m, n}, part[2] = {rows, cols}, at[2] = {r0, c0};
		err = MPI_Type_create_subarray(2, sizes, part, at, MPI_ORDER_C, element, &block);
		if (!err)
			err = MPI_Type_commit(&block);
		if (!err)
			err = MPI_Type_contiguous(cols, element, &row);
		if (!err)
			err = MPI_Type_commit(&row);
	}
	if (!err)
		err = MPI_File_set_view(f, offset, element, block, "native", MPI_INFO_NULL);
	if (!err)
		err = MPI_File_write_at_all(f, 0, buf, some ? rows : 0, row, MPI_STATUS_IGNORE);
	if (block != element)
		MPI_Type_free(&block);
	if (row != element)
		MPI_Type_free(&row);
	return err;
}
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"matmul/tiling"
)

// A File is open at all ranks of a communicator, for writing.
type File struct{ handle C.MPI_File }

// OpenFile opens a file that is there. Collective.
func (c *Comm) OpenFile(path string) (*File, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	f := &File{}
	return f, check("MPI_File_open", C.open_file(c.handle, name, &f.handle))
}

// WriteBlock writes the block r of a matrix of m × n elements of size bytes (4
// or 8), which lies row-major in the file from offset on. Each rank has a block
// of its own, empty ones included; mem holds it, row-major, without gaps.
// Collective.
func (f *File) WriteBlock(mem []byte, offset int64, size int, m, n int64, r tiling.Rect) error {
	if m > math.MaxInt32 || n > math.MaxInt32 {
		return fmt.Errorf("MPI-IO takes no matrix of %d × %d: %d rows and columns at most", m, n, math.MaxInt32)
	}
	return check("MPI_File_write_at_all", C.write_block(f.handle, C.MPI_Offset(offset), C.int(size), C.int(m), C.int(n),
		C.int(r.R0), C.int(r.C0), C.int(r.Rows()), C.int(r.Cols()), unsafe.Pointer(unsafe.SliceData(mem))))
}

// Sync makes what all ranks have written durable. Collective.
func (f *File) Sync() error { return check("MPI_File_sync", C.MPI_File_sync(f.handle)) }

// Close closes the file. Collective.
func (f *File) Close() error { return check("MPI_File_close", C.MPI_File_close(&f.handle)) }
