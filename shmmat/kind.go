package shmmat

import "fmt"

// Kind says what backs a segment.
type Kind uint8

// The kinds of segment. See docs/architecture.md for when to choose which.
const (
	Memfd Kind = iota // anonymous memory file: gone with the last process
	Posix             // unnamed file in /dev/shm: bound by that file system's size
	SysV              // System V segment: bound by kernel.shmmax and shmall
	File              // unnamed file on disk, in a directory of the caller's
	Heap              // memory of this process alone: for the threads engine and tests
)

var kindNames = [...]string{Memfd: "memfd", Posix: "posix", SysV: "sysv", File: "file", Heap: "heap"}

// Shared lists the kinds that processes can share, the default first.
func Shared() []Kind { return []Kind{Memfd, Posix, SysV, File} }

// String returns the name that ParseKind takes.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// ParseKind returns the shared kind that name spells.
func ParseKind(name string) (Kind, error) {
	for _, k := range Shared() {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown segment kind %q: want memfd, posix, sysv or file", name)
}
