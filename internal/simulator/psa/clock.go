package psa

import (
	"sync"
	"time"
)

// Clock runs faster than the machine's: an hour of PSA time need not take one.
type Clock struct {
	now func() time.Time

	mu    sync.Mutex
	from  time.Time // on the machine
	at    time.Time // on this clock
	speed float64
}

// NewClock starts a clock at a time; now is the machine's.
func NewClock(at time.Time, speed float64, now func() time.Time) *Clock {
	return &Clock{now: now, from: now(), at: at, speed: speed}
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

func (c *Clock) read() time.Time {
	return c.at.Add(time.Duration(float64(c.now().Sub(c.from)) * c.speed))
}

// SetSpeed makes the clock run faster or slower from here on; 0 stops it.
func (c *Clock) SetSpeed(speed float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.from, c.speed = c.read(), c.now(), speed
}

// Advance puts the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
