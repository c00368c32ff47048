package shmmat

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"matmul/internal/sys"
)

// ProtocolVersion is what master and worker must agree on before anything
// else is said.
const ProtocolVersion = 3

// Verb is what a message on a line is about.
type Verb string

// The messages, in the order in which they occur.
const (
	Hello   Verb = "hello"   // worker: here I am, this is my version
	Welcome Verb = "welcome" // master: your seat and the control segment
	Data    Verb = "data"    // master: a data segment; without a handle: it is gone
	Keep    Verb = "keep"    // master: the segment of a matrix that its owner keeps
	Drop    Verb = "drop"    // master: a kept matrix is gone
	Files   Verb = "files"   // master: the files of a job
	Forget  Verb = "forget"  // master: the files of a job are not needed any more
	Trouble Verb = "trouble" // worker: the text that goes with a bad Status
)

// A Message travels over the line beside a mailbox. Each verb uses some of the
// fields.
type Message struct {
	Verb    Verb
	Version int      `json:",omitempty"`
	Seat    int      `json:",omitempty"`
	Epoch   uint32   `json:",omitempty"`
	Workers int      `json:",omitempty"`
	Spin    int64    `json:",omitempty"` // nanoseconds to look for a task before sleeping
	Yield   bool     `json:",omitempty"` // offer the processor while looking, after the master was woken
	Handle  Handle   `json:",omitzero"`
	Settle  bool     `json:",omitempty"` // Data: many jobs will live there; see View.Settle
	Number  uint32   `json:",omitempty"` // of a data segment, a kept matrix or a job
	Which   []Role   `json:",omitempty"` // what each descriptor of Files is
	Role    Role     `json:",omitempty"` // Trouble: of the file concerned
	Text    string   `json:",omitempty"`
	Segment *Segment `json:"-"` // in place of Handle, within one process
}

// Role is what a file is to a job.
type Role string

// The roles of files.
const (
	FileA   Role = "A"
	FileB   Role = "B"
	FileC0  Role = "C0"
	FileOut Role = "output"
)

// A Line carries what a mailbox cannot: descriptors, text, and the news that
// the other side is gone. It is used by one goroutine on each side at a time.
type Line interface {
	// Send sends a message with the files' descriptors; the caller keeps files.
	Send(m Message, files ...*os.File) error
	// Receive waits for a message; the caller owns the files. It returns
	// io.EOF when the other side is gone.
	Receive() (Message, []*os.File, error)
	// Gone reports, without waiting, whether the other side is gone.
	Gone() bool
	Close() error
}

// maxMessage is the most bytes of one message.
const maxMessage = 64 << 10

type socketLine struct {
	s   *os.File
	buf []byte
}

// NewSocketLine makes a line of one end of a socket pair, which it owns.
func NewSocketLine(s *os.File) Line { return &socketLine{s: s} }

func (l *socketLine) Send(m Message, files ...*os.File) error {
	if m.Verb == Trouble && len(m.Text) > maxMessage/8 {
		m.Text = m.Text[:maxMessage/8]
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return sys.Send(l.s, b, files...)
}

func (l *socketLine) Receive() (Message, []*os.File, error) {
	if l.buf == nil {
		l.buf = make([]byte, maxMessage)
	}
	b, files, err := sys.Receive(l.s, l.buf)
	if err != nil {
		return Message{}, nil, err
	}
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		return Message{}, files, fmt.Errorf("decode message: %w", err)
	}
	return m, files, nil
}

func (l *socketLine) Gone() bool   { return sys.PeerGone(l.s) }
func (l *socketLine) Close() error { return l.s.Close() }

// parcel is a message with its files on the way between two goroutines.
type parcel struct {
	m     Message
	files []*os.File
}

type localLine struct {
	in, out    chan parcel
	gone, mine chan struct{} // closed by the other side, by this side
}

// NewLocalLine makes both ends of a line between two goroutines. Files are
// passed as they are: the receiver must not close them.
func NewLocalLine() (master, worker Line) {
	const room = 4 * Depth // never more than a few are under way
	down, up := make(chan parcel, room), make(chan parcel, room)
	m, w := make(chan struct{}), make(chan struct{})
	return &localLine{in: up, out: down, gone: w, mine: m}, &localLine{in: down, out: up, gone: m, mine: w}
}

func (l *localLine) Send(m Message, files ...*os.File) error {
	select {
	case l.out <- parcel{m, files}:
		return nil
	case <-l.gone:
		return io.ErrClosedPipe
	}
}

func (l *localLine) Receive() (Message, []*os.File, error) {
	select {
	case p := <-l.in:
		return p.m, p.files, nil
	case <-l.gone:
		return Message{}, nil, io.EOF
	}
}

func (l *localLine) Gone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *localLine) Close() error {
	close(l.mine)
	return nil
}
