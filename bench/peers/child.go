package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// child is the process of a contender, seen from the harness.
type child struct {
	*contender
	about   string
	pids    []int
	cmd     *exec.Cmd
	send    *os.File
	receive *os.File
	enc     *gob.Encoder
	dec     *gob.Decoder

	activity activity
}

// startChild starts a contender's process and waits until it has its memory and
// has passed the exact check.
func startChild(c *contender, s setup) (*child, error) {
	ch := &child{contender: c}
	if err := ch.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	r, err := ch.exchange(s)
	if err != nil {
		ch.close()
		return nil, err
	}
	ch.about, ch.pids = r.About, r.Pids
	return ch, nil
}

func (c *child) start() error {
	theirRequests, requests, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirRequests.Close()
	replies, theirReplies, err := os.Pipe()
	if err != nil {
		requests.Close()
		return err
	}
	defer theirReplies.Close()
	c.cmd = exec.Command("/proc/self/exe")
	c.cmd.Args = []string{"peers-" + c.name}
	c.cmd.Env = append(append(os.Environ(), childMark+"=1"), c.env...)
	c.cmd.ExtraFiles = []*os.File{requestsFD - 3: theirRequests, repliesFD - 3: theirReplies}
	c.cmd.Stdout, c.cmd.Stderr = os.Stderr, os.Stderr // what a library prints is no result
	if err := c.cmd.Start(); err != nil {
		return errors.Join(err, requests.Close(), replies.Close())
	}
	c.send, c.receive = requests, replies
	c.enc, c.dec = gob.NewEncoder(requests), gob.NewDecoder(replies)
	return nil
}

// exchange has the child do something: it sends a setup or a request, and
// waits for the reply.
func (c *child) exchange(message any) (r reply, err error) {
	if err := c.enc.Encode(message); err != nil {
		return r, fmt.Errorf("%s: send request: %w", c.name, err)
	}
	if err := c.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: its process ended: %w", c.name, err)
	}
	if r.Err != "" {
		return r, fmt.Errorf("%s: %s", c.name, r.Err)
	}
	return r, nil
}

// grace is how long a child may take to end by itself.
const grace = 5 * time.Second

// close ends the process and waits for it.
func (c *child) close() {
	c.send.Close()
	kill := time.AfterFunc(grace, func() { _ = c.cmd.Process.Kill() })
	_ = c.cmd.Wait() // how it ends says nothing about its results
	kill.Stop()
	c.receive.Close()
}
