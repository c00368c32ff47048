package shmmat

import (
	"sync/atomic"
	"time"

	"matmul/internal/sys"
)

// A Bell wakes one sleeper. Its word is 1 while the sleeper sleeps, or is
// about to, and 0 otherwise; whoever has news publishes it first and rings
// then. Ringing costs one load when nobody sleeps.
//
// The sleeper looks for news after it has set the word, and the ringer looks
// at the word after it has published: with sequentially consistent atomics one
// of them sees the other, so no wake-up is lost. A ringer that dies between
// clearing the word and the wake does lose one: that is why every sleep is
// bounded.
type Bell struct{ word *atomic.Uint32 }

// Ring wakes the sleeper if there is one, and reports whether there was.
func (b Bell) Ring() (woke bool) {
	if woke = b.word.Load() == 1 && b.word.CompareAndSwap(1, 0); woke {
		sys.FutexWake(b.word)
	}
	return woke
}

// Wait returns when news reports true, or after limit, whichever is first. It
// looks for up to spin without sleeping; with yield it offers the processor to
// others between looks, as it must where they may wait for this one.
func (b Bell) Wait(news func() bool, spin, limit time.Duration, yield bool) error {
	if spinUntil(news, spin, yield) {
		return nil
	}
	b.word.Store(1)
	defer b.word.Store(0)
	if news() {
		return nil
	}
	return sys.FutexWait(b.word, 1, limit)
}

// looks is how often spinUntil asks for news between two looks at the clock.
const looks = 64

func spinUntil(news func() bool, spin time.Duration, yield bool) bool {
	if spin <= 0 {
		return news()
	}
	for start := time.Now(); ; {
		for range looks {
			if news() {
				return true
			}
			if yield {
				sys.Yield()
			}
		}
		if time.Since(start) > spin {
			return false
		}
	}
}
