// Command relay is a network with latency, for kernels without netem. It makes a
// TUN device for each name, prints a line, and then passes IPv4 packets on: those
// for an address that ends in i go to the i-th device, after the delay. It drops
// all others, and ends with its standard input.
//
//	relay 200us host1 host2 </some/pipe
//
// Devices may be moved to other network namespaces while it runs; a limit of their
// rate is tc's affair.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("want a delay and the names of two devices or more")
	}
	delay, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	var devices []*os.File
	for _, name := range args[1:] {
		d, err := open(name)
		if err != nil {
			return fmt.Errorf("make device %s: %w", name, err)
		}
		devices = append(devices, d)
	}
	failed := make(chan error)
	for _, d := range devices {
		go func() { failed <- pass(d, devices, delay) }()
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	fmt.Println("ready")
	return <-failed
}

// open makes a TUN device, which is gone when it is closed.
func open(name string) (*os.File, error) {
	// Without O_NONBLOCK a read would occupy a thread.
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// A packet is on its way.
type packet struct {
	due  time.Time
	to   *os.File
	data []byte
}

const (
	longest = 65535 // bytes of a packet
	queue   = 4096  // packets on their way from a device, at most
	header  = 20    // of IPv4, whose last byte is that of the destination
)

// pass passes on what comes from a device, until it fails.
func pass(from *os.File, devices []*os.File, delay time.Duration) error {
	under := make(chan packet, queue)
	defer close(under)
	go deliver(under)
	buf := make([]byte, longest)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return err
		}
		if n < header || buf[0]>>4 != 4 {
			continue
		}
		if i := int(buf[header-1]); i >= 1 && i <= len(devices) {
			under <- packet{time.Now().Add(delay), devices[i-1], append([]byte(nil), buf[:n]...)}
		}
	}
}

// early is how much too soon a packet may come: each sleep takes a processor for
// some microseconds, which is wanted for what the network is for.
const early = 50 * time.Microsecond

// deliver writes each packet when it is due. One that cannot be is lost, as
// happens to packets. time.Sleep would take a millisecond at least, and the kernel
// 50 µs more than it is asked for.
func deliver(under <-chan packet) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for p := range under {
		if left := time.Until(p.due); left > early {
			ts := unix.NsecToTimespec(left.Nanoseconds())
			_ = unix.Nanosleep(&ts, nil)
		}
		_, _ = p.to.Write(p.data)
	}
}
