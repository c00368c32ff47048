package sys

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Memfd creates an anonymous file in memory that can be sealed.
func Memfd(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), "memfd:"+name), nil
}

// SealSize fixes the size of a memfd for good: nobody who holds the descriptor
// can shrink it under somebody else's mapping.
func SealSize(f *os.File) error {
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal size: %w", err)
	}
	return nil
}

// SysVCreate makes a private System V segment of n bytes, readable and
// writable by this user alone.
func SysVCreate(n int64) (int, error) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, int(n), unix.IPC_CREAT|unix.IPC_EXCL|0o600)
	if err != nil {
		return 0, fmt.Errorf("shmget: %w", err)
	}
	return id, nil
}

// SysVRemove marks a segment for removal: it is gone with its last attachment,
// and can be attached until then (Linux only).
func SysVRemove(id int) error {
	if _, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil); err != nil {
		return fmt.Errorf("shmctl(IPC_RMID): %w", err)
	}
	return nil
}
