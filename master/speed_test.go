package master

import (
	"math"
	"testing"
	"time"
)

// Presume lets the pool believe that it has learnt these speeds of its first members, and
// by how much a job usually differs from them.
func (p *Pool) Presume(unsteady float64, speeds ...float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsteady = unsteady
	for i, v := range speeds {
		p.members[i].speed = v
	}
}

func TestSpeedsAreLearnt(t *testing.T) {
	p := &Pool{members: []*member{{speed: 1}, {speed: 1}}}
	is := func(a, b, off float64) {
		t.Helper()
		if s, unsteady := p.speeds(); math.Abs(s[0]-a) > 0.001 || math.Abs(s[1]-b) > 0.001 || math.Abs(unsteady-off) > 0.001 {
			t.Errorf("speeds are %.4f and vary by %.4f, want %v and %v, and %v", s, unsteady, a, b, off)
		}
	}
	p.learn(nil, time.Second)             // no strips
	p.learn([]float64{3, 0}, time.Second) // one did both
	is(1, 1, 0)
	p.learn([]float64{101, 99}, 10*time.Millisecond)
	is(1.001, 0.999, 0.001)
	p.learn([]float64{9, 1}, time.Second) // one was held up
	is(1.026, 0.974, 0.026)
	for range 30 {
		p.learn([]float64{30, 20}, time.Second)
	}
	is(1.2, 0.8, 0)
}
