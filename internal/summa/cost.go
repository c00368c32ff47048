package summa

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"matmul/tiling"
)

// A Network is what it takes to send a message of x bytes to another rank:
// Latency + x/Bandwidth, in seconds and bytes per second. To receive as much meanwhile
// takes x/Processor seconds of a processor, at each end; none if that is 0.
type Network struct {
	Latency   float64 `json:"latency_seconds"`
	Bandwidth float64 `json:"bytes_per_second"`
	Processor float64 `json:"bytes_per_processor_second,omitempty"`
}

// Usual is a network that is taken for granted where nobody has measured one:
// 10 Gbit/s Ethernet.
var Usual = Network{Latency: 20e-6, Bandwidth: 1.25e9}

// Local is the same for ranks that share a machine's memory.
var Local = Network{Latency: 1e-6, Bandwidth: 6e9}

// ParseNetwork reads "200us,125MB": a latency as Go writes times, and a bandwidth
// in bytes per second with an optional K, M, G or T, powers of 1000. A second number of
// that kind, if there is one, is the bytes for each second of a processor.
func ParseNetwork(s string) (n Network, err error) {
	first, rest, ok := strings.Cut(s, ",")
	if !ok {
		return n, errors.New("want latency,bandwidth as in 20us,1.25GB")
	}
	latency, err := time.ParseDuration(strings.TrimSpace(first))
	if err != nil || latency < 0 {
		return n, fmt.Errorf("latency %q: want a time as in 20us", first)
	}
	second, third, more := strings.Cut(rest, ",")
	n.Latency = latency.Seconds()
	if n.Bandwidth, err = parseRate(second); err == nil && more {
		n.Processor, err = parseRate(third)
	}
	if err != nil {
		return Network{}, err
	}
	return n, nil
}

// parseRate reads bytes per second.
func parseRate(text string) (float64, error) {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(text), "/s"), "B")
	unit := 1.0
	if i := len(number) - 1; i >= 0 {
		if power := strings.IndexByte("KMGT", number[i]); power >= 0 {
			unit, number = math.Pow(1000, float64(power+1)), number[:i]
		}
	}
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || !(rate > 0) || math.IsInf(rate, 0) {
		return 0, fmt.Errorf("bandwidth %q: want bytes per second as in 1.25GB", text)
	}
	return rate * unit, nil
}

// String writes a network as ParseNetwork reads it.
func (n Network) String() string {
	text := fmt.Sprintf("%.4gus,%s", n.Latency*1e6, rateText(n.Bandwidth))
	if n.Processor > 0 {
		text += "," + rateText(n.Processor)
	}
	return text
}

func rateText(rate float64) string {
	if rate >= 1e9 {
		return fmt.Sprintf("%.4gGB", rate/1e9)
	}
	return fmt.Sprintf("%.4gMB", rate/1e6)
}

// gather returns the time after which all ranks of a row or column have a message
// of x bytes of which each has a share, by a ring (Thakur, Rabenseifner and Gropp,
// 2005).
func (n Network) gather(ranks int, x float64) float64 {
	others := float64(ranks - 1)
	return others*n.Latency + others/float64(ranks)*x/n.Bandwidth
}

// Machines are the ranks that do a product, and what joins them.
type Machines struct {
	Ranks   int
	Rate    float64 // of one rank, in flop/s
	Workers int     // of one rank, which has a processor for each; 0 is 1
	// Reading and Packing are the bytes of an operand that a processor reads from a
	// file in memory, and packs, in a second; 0 if that takes no time.
	Reading, Packing float64
	Network
	// Scatter says that rank 0 alone has the files: it sends the panels to those
	// who pass them on, and is sent C.
	Scatter bool
	// Direct says that each rank reads all of its panels itself: the files are in the
	// memory that the ranks share.
	Direct bool
}

// A Plan is how ranks do a product, and what that is expected to cost.
type Plan struct {
	Grid
	tiling.Problem
	Width int64 // of a panel: the steps of k
	Bands int64 // pieces that the rows of C are done in, one after the other

	Bytes    float64 // that a rank receives, on average
	Bound    float64 // that some rank must receive by Irony, Toledo and Tiskin, with Memory
	Sent     float64 // bytes of A and B that rank 0 sends to their first ranks, if it has them alone,
	Returned float64 // and of C that it is sent
	Memory   float64 // bytes of a rank's panels, as they travel and as they are multiplied, and its block of C
	Compute  float64 // seconds of a rank's products,
	Slowed   float64 // and those by which reading and moving panels meanwhile makes them longer
	Transfer float64 // seconds of its transfers
	Exposed  float64 // those of them that arithmetic does not hide
	Time     float64 // seconds in all, without files
}

// Efficiency returns the part of the time that the arithmetic alone would take
// if it were divided evenly.
func (p *Plan) Efficiency(rate float64) float64 {
	if p.Time == 0 {
		return 1
	}
	return p.Flops() / (rate * float64(p.Ranks())) / p.Time
}

// widths are the panels that are considered, narrow to wide. A step of 384 columns
// of k, or of a multiple, is what kernels are fastest at.
var widths = []int64{384, 768, 1152, 1536, 2304, 3072, 4608}

// widths returns the panels that are considered for a product over k. Those that
// each rank reads itself need no other step to hide what it takes to bring them.
func (on Machines) widths(k int64) []int64 {
	if on.Direct {
		return append(slices.Clone(widths), k)
	}
	return widths
}

// carried is the number of columns of k whose arithmetic takes as long as
// reading and writing the block of C once more. It has been measured as 59 and, on a
// processor of twice the arithmetic, as 179.
const carried = 128

// New plans a product of elements of size bytes, in bands of at most rows rows of
// C. The width is the one that is expected to be fastest of those whose panels and
// blocks take at most memory bytes; the narrowest of all if none does. Before the
// first product nothing hides the reading of its panels, either, which is taken to
// be as fast as the network, unless each rank's workers read what they multiply.
func New(p tiling.Problem, size int, on Machines, rows int64, memory float64) *Plan {
	g := Choose(p, on.Ranks)
	bands := tiling.Tiles(p.M, max(rows, 1))
	var best *Plan
	var least float64
	for _, w := range on.widths(p.K) {
		plan := &Plan{Grid: g, Problem: p, Width: max(min(w, p.K), 1), Bands: bands}
		plan.reckon(float64(size), on)
		time := plan.Time
		if !on.Direct {
			time += float64(bands*plan.Width) * float64(size) * plan.owned() / on.Bandwidth
		}
		if best == nil || plan.Memory <= memory && time < least {
			best, least = plan, time
		}
	}
	return best
}

// owned returns how many elements of a column of A and of a row of B a rank reads,
// on average.
func (p *Plan) owned() float64 { return float64(p.Height()+p.N) / float64(p.Ranks()) }

// Height returns the rows of a band.
func (p *Plan) Height() int64 { return p.M/p.Bands + min(p.M%p.Bands, 1) }

// Steps returns the number of steps of a band.
func (p *Plan) Steps() int64 { return tiling.Tiles(p.K, p.Width) }

// leastRows is the rows of a band that each rank has at least where bands are
// made for checkpoints: each band passes all of B on once more.
const leastRows = 512

// Fit plans a product as New does, in as few bands as the memory of a rank
// allows and, if interval is not 0, in bands that take about so many seconds. The
// error says what the smallest band takes.
func Fit(p tiling.Problem, size int, on Machines, memory, interval float64) (*Plan, error) {
	rows := p.M
	plan := New(p, size, on, rows, memory)
	for plan.Memory > memory {
		if rows <= int64(on.Ranks) {
			return nil, fmt.Errorf("a rank takes %.0f MiB at least", plan.Memory/(1<<20))
		}
		rows = rows/2 + rows%2
		plan = New(p, size, on, rows, memory)
	}
	if interval > 0 && plan.Time > interval {
		rows = min(rows, max(int64(float64(p.M)*interval/plan.Time), int64(plan.P)*leastRows))
		plan = New(p, size, on, rows, memory)
	}
	return plan, nil
}

// reckon fills in what the plan costs.
func (p *Plan) reckon(size float64, on Machines) {
	steps := float64(p.Steps())
	m, cols := float64(largest(p.Height(), p.P)), float64(largest(p.N, p.Q))
	w := float64(p.Width)
	travelling := min(steps, 2)
	if on.Direct {
		travelling = 0
	}
	p.Memory = size * ((travelling+1)*w*(m+cols) + 2*m*cols)
	band := p.Problem
	band.M = p.M / p.Bands
	if !on.Direct {
		p.Bytes = size * p.Received(band) * float64(p.Bands)
	}
	p.Bound = p.bound(size)
	others := 1 - 1/float64(p.Ranks()) // of what rank 0 sends and is sent
	if on.Scatter {
		p.Sent = others * size * float64(p.K) * (float64(p.M) + float64(p.Bands*p.N))
		p.Returned = others * size * float64(p.M) * float64(p.N)
	}
	if p.M == 0 || p.N == 0 || p.K == 0 {
		return
	}
	workers := float64(max(on.Workers, 1))
	step := 2*m*cols*(w+carried)/on.Rate + size*w*(m+cols)*(inverse(on.Packing)+inverse(on.Reading))/workers
	pass := on.gather(p.Q, size*m*w) + on.gather(p.P, size*cols*w)
	if on.Direct {
		pass = 0
	}
	if on.Scatter && p.Ranks() > 1 { // one after the other, and then they pass them on
		pass += float64(p.P+p.Q)*on.Latency + others*size*w*(float64(p.Height())+float64(p.N))/on.Bandwidth
	}
	bands, returned := float64(p.Bands), p.Returned/on.Bandwidth
	slowed := 0.0 // of a step, while the panels of the next one are read and come
	if !on.Direct {
		received := m*part(p.Q) + cols*part(p.P)
		slowed = size * w * (received*inverse(on.Processor) + p.owned()*inverse(on.Reading)) / workers
	}
	p.Compute, p.Slowed, p.Transfer = bands*steps*step, bands*(steps-1)*slowed, bands*steps*pass+returned
	p.Exposed = bands*(pass+(steps-1)*max(0, pass-step-slowed)) + returned
	p.Time = p.Compute + p.Slowed + p.Exposed
}

// inverse returns the seconds for a byte at a rate, 0 for none.
func inverse(rate float64) float64 {
	if rate == 0 {
		return 0
	}
	return 1 / rate
}

// part returns the part of a panel that one of so many ranks receives.
func part(ranks int) float64 { return 1 - 1/float64(ranks) }

// bound returns the bytes that some rank must receive: mnk/(2√2·P·√M) − M
// elements, where M is the number of elements that a rank holds (Irony, Toledo
// and Tiskin, Communication lower bounds for distributed-memory matrix
// multiplication, 2004).
func (p *Plan) bound(size float64) float64 {
	held := p.Memory / size
	if held == 0 {
		return 0
	}
	return max(0, size*(p.Flops()/2/(2*math.Sqrt2*float64(p.Ranks())*math.Sqrt(held))-held))
}
