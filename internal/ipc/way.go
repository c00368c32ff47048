package ipc

import (
	"fmt"
	"time"

	"matmul/tiling"
)

// A Way is how data are handed over.
type Way uint8

// The ways that are compared.
const (
	Spinning Way = iota // mailbox; the receiver looks for the message
	Asleep              // mailbox; the receiver sleeps on a futex
	Socket              // Unix socket, SOCK_SEQPACKET; the receiver sleeps in read
	Pipe                // pipe; the receiver sleeps in read
)

// Ways lists all.
func Ways() []Way { return []Way{Spinning, Asleep, Socket, Pipe} }

var wayNames = [...]string{"mailbox, spinning", "mailbox, asleep", "Unix socket", "pipe"}

// String returns the name that tables and plots show.
func (w Way) String() string {
	if int(w) >= len(wayNames) {
		return fmt.Sprintf("ipc.Way(%d)", uint8(w))
	}
	return wayNames[w]
}

// MarshalText returns the name.
func (w Way) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// The tasks of the peer. Those of package shmmat are below.
const (
	settle tiling.Kind = 128 + iota // wait for the next task as Rect.R0 nanoseconds of spinning say
	look                            // read Rect.R0 bytes of the shared region
	read                            // read Rect.R0 bytes from the socket (Rect.R1 = Socket) or the pipe
)

// Sizes are the messages that are measured, in bytes, ascending by powers of
// two: 64 B, one cache line, to 16 MiB, more than a socket or a pipe takes at
// once.
func Sizes() (sizes []int64) {
	for x := int64(64); x <= maxBytes; x *= 2 {
		sizes = append(sizes, x)
	}
	return sizes
}

const (
	maxBytes = 16 << 20
	// packet is the most bytes of one message on the socket: well below the
	// send buffers that systems allow (208 KiB by default).
	packet = 64 << 10
	// room is what a pipe holds if the system allows it (1 MiB without
	// privileges).
	room = 1 << 20
)

// rest is how long the sender leaves the receiver alone to fall asleep.
const rest = 300 * time.Microsecond

// patience bounds each sleep and spin of the peer: it looks for its parent then.
const patience = time.Second

// touch reads a word of each cache line.
func touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += 64 {
		sum += b[i]
	}
	return sum
}
