package master

import (
	"math"
	"testing"
	"time"
)

// Presume lets the pool believe that it has learnt these speeds of its first members.
func (p *Pool) Presume(speeds ...float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, v := range speeds {
		p.members[i].speed = v
	}
}

func TestSpeedsAreLearnt(t *testing.T) {
	p := &Pool{members: []*member{{speed: 1}, {speed: 1}}}
	is := func(a, b float64) {
		t.Helper()
		if s := p.speeds(); math.Abs(s[0]-a) > 0.001 || math.Abs(s[1]-b) > 0.001 {
			t.Errorf("speeds are %.4f, want %v and %v", s, a, b)
		}
	}
	p.learn(nil, time.Second)             // no strips
	p.learn([]float64{3, 0}, time.Second) // one did both
	is(1, 1)
	p.learn([]float64{101, 99}, 10*time.Millisecond)
	is(1.001, 0.999)
	p.learn([]float64{9, 1}, time.Second) // one was held up
	is(1.026, 0.974)
	for range 30 {
		p.learn([]float64{30, 20}, time.Second)
	}
	is(1.2, 0.8)
}
