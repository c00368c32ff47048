package main

import (
	"matmul/internal/elem"
	"matmul/internal/gemm"
)

// A child gets one setup, and then requests, on descriptor 3; it answers each
// of them, the setup too, with one reply on descriptor 4. All are gobs. A child
// ends when descriptor 3 does.
const (
	childMark  = "MATMUL_PEERS_CHILD" // set in a process that is a contender
	requestsFD = 3
	repliesFD  = 4
)

// setup says what a child is.
type setup struct {
	Kind    kind
	Path    string // of a library
	Type    elem.Type
	ISA     gemm.ISA
	Workers int
	Pins    []int
	Sizes   []size // those that will be asked for
}

// verb is what a child is to do.
type verb string

const (
	// check multiplies into a C full of NaN, and holds the result against
	// A and B.
	check verb = "check"
	// turn multiplies Repeat times and takes the time; Warm: once more before,
	// off the clock.
	turn verb = "turn"
	// limit measures the FMA limit. Only matmul does.
	limit verb = "limit"
)

type request struct {
	Verb   verb
	Size   size
	Repeat int
	Warm   bool
}

type reply struct {
	Err     string
	About   string  // setup: what the library says that it is
	Pids    []int   // setup: the child's processes
	Seconds float64 // turn: per product
	Packed  float64 // turn: per product of panels that were packed before; 0 for others
	Rate    float64 // limit: flop/s
}
