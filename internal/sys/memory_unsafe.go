//go:build linux

package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Range is address space that this process reserved. Its memory may be
// mapped, in part or whole, readable or not; only the owner knows.
type Range struct {
	base unsafe.Pointer // of the kernel's mapping, to be unmapped
	all  uintptr        // bytes mapped at base
	p    unsafe.Pointer // first byte of the aligned range
	n    uintptr
}

// Reserve takes n bytes of address space, aligned to [HugePageSize], that
// cannot be read or written and take no memory.
func Reserve(n int64) (*Range, error) {
	all := uintptr(n) + HugePageSize
	base, err := unix.MmapPtr(-1, 0, nil, all, unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of address space: %w", n, err)
	}
	skip := -uintptr(base) & (HugePageSize - 1)
	return &Range{base: base, all: all, p: unsafe.Add(base, skip), n: uintptr(n)}, nil
}

// Release gives the address space back, with whatever is mapped there. Every
// slice made from r is dangling afterwards.
func (r *Range) Release() error {
	if err := unix.MunmapPtr(r.base, r.all); err != nil {
		return fmt.Errorf("munmap: %w", err)
	}
	return nil
}

// Bytes returns n bytes of the range from off on. Touching what is not mapped
// faults.
func (r *Range) Bytes(off, n int64) []byte {
	if off < 0 || n < 0 || uintptr(off)+uintptr(n) > r.n {
		panic("sys: bytes outside the reserved range")
	}
	return unsafe.Slice((*byte)(unsafe.Add(r.p, off)), n)
}

// Offset returns the distance of addr from the start of the range, and whether
// it lies inside.
func (r *Range) Offset(addr uintptr) (int64, bool) {
	d := addr - uintptr(r.p)
	return int64(d), d < r.n
}

// MapFile maps n bytes of a file, shared, over the range, at the same offset
// in both.
func (r *Range) MapFile(fd uintptr, off, n int64, write bool) error {
	_, err := unix.MmapPtr(int(fd), off, unsafe.Add(r.p, off), uintptr(n),
		protection(write), unix.MAP_SHARED|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	return nil
}

// AttachSysV attaches a whole System V segment over the start of the range.
func (r *Range) AttachSysV(id int, write bool) error {
	flags := shmRemap
	if !write {
		flags |= unix.SHM_RDONLY
	}
	_, _, errno := unix.Syscall(unix.SYS_SHMAT, uintptr(id), uintptr(r.p), uintptr(flags))
	if errno != 0 {
		return fmt.Errorf("shmat: %w", errno)
	}
	return nil
}

// Protect makes n bytes from off on readable (and writable if write), or, with
// none, untouchable.
func (r *Range) Protect(off, n int64, none, write bool) error {
	prot := protection(write)
	if none {
		prot = unix.PROT_NONE
	}
	if err := unix.Mprotect(r.Bytes(off, n), prot); err != nil {
		return fmt.Errorf("mprotect: %w", err)
	}
	return nil
}

// Populate makes every page of n mapped bytes present, and writable if write,
// so that no later access faults: a machine that cannot back them says so here
// (Linux 5.14; EINVAL before).
func (r *Range) Populate(off, n int64, write bool) error {
	advice := unix.MADV_POPULATE_READ
	if write {
		advice = unix.MADV_POPULATE_WRITE
	}
	for {
		err := unix.Madvise(r.Bytes(off, n), advice)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return fmt.Errorf("madvise(POPULATE): %w", err)
		}
		return nil
	}
}

// madvCollapse is MADV_COLLAPSE of Linux 6.1, which x/sys may not name yet.
const madvCollapse = 25

// Collapse asks the kernel to back n filled bytes from off on with huge pages
// in this mapping (Linux 6.1; EINVAL before). A part that cannot be is EAGAIN,
// ENOMEM or EINVAL and changes nothing but speed.
func (r *Range) Collapse(off, n int64) error {
	if err := unix.Madvise(r.Bytes(off, n), madvCollapse); err != nil {
		return fmt.Errorf("madvise(COLLAPSE): %w", err)
	}
	return nil
}

func protection(write bool) int {
	if write {
		return unix.PROT_READ | unix.PROT_WRITE
	}
	return unix.PROT_READ
}

// shmRemap is SHM_REMAP: replace what is mapped in the way.
const shmRemap = 0x4000
