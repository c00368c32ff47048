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
	players []*child  // matmul is the first
	boards  []*board  // by size
	cores   []float64 // what [issueRate] was, whenever it was measured
}

// board is the measurements of a size.
type board struct {
	size    size
	players []*child // those that take part
	repeat  int
	warm    bool
	rounds  []*round
	dropped int // rounds in which the processors were not ours alone
}

// seconds returns a contender's times by round.
func (b *board) seconds(p *child) (all []float64) {
	for _, r := range b.rounds {
		all = append(all, r.seconds[p])
	}
	return all
}

// packed returns matmul's times of packed operands by round.
func (b *board) packed() (all []float64) {
	for _, r := range b.rounds {
		all = append(all, r.packed)
	}
	return all
}

// limits returns the FMA limits measured in the rounds.
func (b *board) limits() (all []float64) {
	for _, r := range b.rounds {
		all = append(all, r.limits...)
	}
	return all
}

// round is what was measured in one. The FMA limit is measured before each turn and after
// the last, and so is what a core issues, if the processors are to be ours alone.
type round struct {
	seconds map[*child]float64
	packed  float64   // matmul's
	limits  []float64 // flop/s
	cores   []float64
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
		b := &board{size: s}
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
	if err := a.play(ctx); err != nil {
		return err
	}
	for _, b := range a.boards {
		n := len(b.rounds)
		b.rounds = a.counting(b)
		b.dropped += n - len(b.rounds)
	}
	return nil
}

// play goes round after round until each size has as many that count as were asked for,
// or the time for them is over.
func (a *arena) play(ctx context.Context) error {
	for begin := time.Now(); ; {
		n := 0
		for i, b := range a.boards {
			if len(a.counting(b)) >= a.o.reps {
				continue
			}
			if a.o.alone > 0 && time.Since(begin) > a.o.within {
				return a.late()
			}
			n++
			if err := a.round(ctx, b, len(b.rounds)+i); err != nil {
				return err
			}
		}
		if n == 0 {
			return nil
		}
	}
}

// late says which sizes lack rounds; it is an error if one has none.
func (a *arena) late() error {
	for _, b := range a.boards {
		n := len(a.counting(b))
		if n == 0 {
			return fmt.Errorf("%v: in %v there was no round in which each core issued %g of its best; try a lower -alone, or a longer -within", b.size, a.o.within, a.o.alone)
		}
		if n < a.o.reps {
			fmt.Fprintf(a.log, "%-20v only %d of %d rounds after %v\n", b.size, n, a.o.reps, a.o.within)
		}
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

// round gives everybody a turn, one after another begins in each round.
func (a *arena) round(ctx context.Context, b *board, number int) error {
	start := time.Now()
	r, err := a.turns(ctx, b, number)
	if r == nil || err != nil {
		b.dropped++
		return err
	}
	b.rounds = append(b.rounds, r)
	fmt.Fprintf(a.log, "%-20v round %d of %d: %v", b.size, len(a.counting(b)), a.o.reps, time.Since(start).Round(time.Millisecond))
	if b.dropped > 0 {
		fmt.Fprintf(a.log, " (%d dropped)", b.dropped)
	}
	fmt.Fprintln(a.log)
	return nil
}

// turns goes through a round. It is broken off, and nil, as soon as the processors are not
// ours alone, if they are to be.
func (a *arena) turns(ctx context.Context, b *board, number int) (*round, error) {
	r := &round{seconds: map[*child]float64{}}
	for _, i := range order(len(b.players), number) {
		if alone, err := a.look(ctx, r); !alone {
			return nil, err
		}
		p := b.players[i]
		t, err := p.play(ctx, request{Verb: turn, Size: b.size, Repeat: b.repeat, Warm: b.warm})
		if err != nil {
			return nil, err
		}
		r.seconds[p] = t.Seconds
		if p == b.players[0] {
			r.packed = t.Packed
		}
	}
	if alone, err := a.look(ctx, r); !alone {
		return nil, err
	}
	return r, nil
}

// look measures what a turn is held against, and reports whether the processors are ours
// alone, as far as that matters; not after an error.
func (a *arena) look(ctx context.Context, r *round) (alone bool, err error) {
	if a.o.alone > 0 {
		rate, err := issueRate(a.o.processors())
		if err != nil {
			return false, err
		}
		a.cores, r.cores = append(a.cores, rate), append(r.cores, rate)
		if !r.counts(a.floor()) {
			time.Sleep(pause)
			return false, context.Cause(ctx)
		}
	}
	l, err := a.players[0].play(ctx, request{Verb: limit})
	r.limits = append(r.limits, l.Rate)
	return err == nil, err
}

// floor is what cores issue, at least, while processors are ours alone, by all that is
// known so far; 0 where that does not matter, or nothing is known.
func (a *arena) floor() float64 {
	if a.o.alone == 0 || len(a.cores) == 0 {
		return 0
	}
	return a.o.alone * high(a.cores)
}

// counts reports whether the processors were ours alone in a round: by what their cores
// issued beside the turns, never by what the contenders took.
func (r *round) counts(floor float64) bool { return floor == 0 || slices.Min(r.cores) >= floor }

// counting returns a size's rounds that count.
func (a *arena) counting(b *board) (rs []*round) {
	floor := a.floor()
	for _, r := range b.rounds {
		if r.counts(floor) {
			rs = append(rs, r)
		}
	}
	return rs
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
