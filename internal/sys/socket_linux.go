package sys

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// SocketPair returns two connected SOCK_SEQPACKET sockets: messages keep their
// bounds, arrive in order, carry descriptors, and end-of-file tells that the
// other end is gone.
func SocketPair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "socket:master"), os.NewFile(uintptr(fds[1]), "socket:worker"), nil
}

// MaxDescriptors is the most descriptors that one message carries here.
const MaxDescriptors = 8

// Send sends one message with the descriptors of files. A peer that is gone is
// EPIPE, never a signal.
func Send(s *os.File, msg []byte, files ...*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(int(s.Fd()), msg, rights, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("sendmsg: %w", err)
		}
		return nil
	}
}

// Receive waits for one message of at most len(buf) bytes and returns it with
// the descriptors that came along, which are close-on-exec. It returns io.EOF
// when the peer is gone.
func Receive(s *os.File, buf []byte) ([]byte, []*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4*MaxDescriptors))
	for {
		n, oobn, flags, _, err := unix.Recvmsg(int(s.Fd()), buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("recvmsg: %w", err)
		}
		files, err := descriptors(oob[:oobn])
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			return nil, nil, io.EOF
		}
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			closeAll(files)
			return nil, nil, fmt.Errorf("recvmsg: message was cut short")
		}
		return buf[:n], files, nil
	}
}

func descriptors(oob []byte) ([]*os.File, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse control message: %w", err)
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // another kind of control message: none is expected
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// PeerGone reports whether the other end of a socket pair was closed. It does
// not wait and takes no message.
func PeerGone(s *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(s.Fd()), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&(unix.POLLHUP|unix.POLLRDHUP|unix.POLLERR) != 0
}
