package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// A turn shorter than shortTurn is begun with a product off the clock: threads
// are then awake and caches as a product leaves them. It goes on for turnTime.
const (
	shortTurn = 50 * time.Millisecond
	turnTime  = 2 * time.Millisecond
)

// arena is where the contenders meet.
type arena struct {
	o       *options
	log     io.Writer
	players []*child // matmul is the first
	boards  []*board // by size
}

// board is the measurements of a size.
type board struct {
	size    size
	players []*child // those that take part
	repeat  int
	warm    bool
	seconds map[*child][]float64 // by round
	packed  []float64            // matmul's, by round
	limits  []float64            // flop/s, by round
}

func (a *arena) open(contenders []*contender) error {
	o := a.o
	for _, c := range contenders {
		s := setup{Kind: c.kind, Path: c.path, Type: o.dtype, ISA: o.kernel.ISA, Workers: o.workers, Pins: o.pins}
		s.Sizes = slices.DeleteFunc(slices.Clone(o.sizes), func(s size) bool { return !o.plays(c, s) })
		p, err := startChild(c, s)
		if err != nil {
			return err
		}
		a.players = append(a.players, p)
		p.settle()
		fmt.Fprintf(a.log, "%-10s answers exactly; %s\n", c.name, p.about)
	}
	return nil
}

func (a *arena) close() {
	for _, p := range a.players {
		p.close()
	}
}

// plays reports whether a contender is given a size.
func (o *options) plays(c *contender, s size) bool {
	return c.kind != kindGonum || s.within(o.gonumMax)
}

// measure checks and warms up each size, and then goes through the rounds.
func (a *arena) measure(ctx context.Context) error {
	for _, s := range a.o.sizes {
		b := &board{size: s, seconds: map[*child][]float64{}}
		for _, p := range a.players {
			if a.o.plays(p.contender, s) {
				b.players = append(b.players, p)
			}
		}
		if err := b.prepare(ctx); err != nil {
			return err
		}
		a.boards = append(a.boards, b)
		fmt.Fprintf(a.log, "%-20v checked; %d product(s) a turn\n", s, b.repeat)
	}
	for round := range a.o.reps {
		start := time.Now()
		for i, b := range a.boards {
			if err := b.round(ctx, round+i); err != nil {
				return err
			}
		}
		fmt.Fprintf(a.log, "round %d of %d: %v\n", round+1, a.o.reps, time.Since(start).Round(time.Millisecond))
	}
	return nil
}

// prepare checks each contender's answer and finds how long a turn is.
func (b *board) prepare(ctx context.Context) error {
	fastest := math.Inf(1)
	for _, p := range b.players {
		if _, err := p.play(ctx, request{Verb: check, Size: b.size}); err != nil {
			return err
		}
		t, err := b.rehearse(ctx, p)
		if err != nil {
			return err
		}
		fastest = min(fastest, t)
	}
	b.repeat = max(1, int(math.Ceil(turnTime.Seconds()/fastest)))
	b.warm = fastest < shortTurn.Seconds()
	return nil
}

// rehearse returns how long a product takes when warm.
func (b *board) rehearse(ctx context.Context, p *child) (float64, error) {
	r, err := p.play(ctx, request{Verb: turn, Size: b.size, Repeat: 1})
	if err == nil && r.Seconds < shortTurn.Seconds() {
		r, err = p.play(ctx, request{Verb: turn, Size: b.size, Repeat: 1, Warm: true})
	}
	return r.Seconds, err
}

// play asks for something, and waits until all is quiet again.
func (c *child) play(ctx context.Context, q request) (reply, error) {
	if err := context.Cause(ctx); err != nil {
		return reply{}, err
	}
	c.awake()
	r, err := c.exchange(q)
	if err == nil {
		c.settle()
	}
	return r, err
}

// round gives everybody a turn, and the FMA limit one.
func (b *board) round(ctx context.Context, round int) error {
	ours := b.players[0]
	for _, i := range order(len(b.players)+1, round) {
		if i == len(b.players) {
			r, err := ours.play(ctx, request{Verb: limit})
			if err != nil {
				return err
			}
			b.limits = append(b.limits, r.Rate)
			continue
		}
		p := b.players[i]
		r, err := p.play(ctx, request{Verb: turn, Size: b.size, Repeat: b.repeat, Warm: b.warm})
		if err != nil {
			return err
		}
		b.seconds[p] = append(b.seconds[p], r.Seconds)
		if p == ours {
			b.packed = append(b.packed, r.Packed)
		}
	}
	return nil
}

// order returns the numbers below n, starting with another one in each round,
// and backwards in every other, so that nobody has always the same neighbour.
func order(n, round int) []int {
	o := make([]int, n)
	for i := range o {
		o[i] = (i + round) % n
	}
	if round%2 == 1 {
		slices.Reverse(o)
	}
	return o
}
