package psa

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// CallbackFaults are ways for callbacks to go wrong; chances are from 0 to 1.
type CallbackFaults struct {
	Lost, Twice, Forged float64
	Shuffled            bool // they come in any order
}

// Callback is one call to be made.
type Callback struct {
	URL    string
	Header http.Header
	Body   []byte
	// Forge spoils what the call proves itself with.
	Forge func(header http.Header)
	// Done hears whether it was answered with a success.
	Done func(ok bool)
}

// Callbacks makes the calls of an instance.
type Callbacks struct {
	client *http.Client
	dice   *Faults
	queue  chan Callback

	mu     sync.Mutex
	faults CallbackFaults
}

// NewCallbacks returns a queue; client nil is one that gives up after ten seconds.
func NewCallbacks(client *http.Client, dice *Faults) *Callbacks {
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	return &Callbacks{client: client, dice: dice, queue: make(chan Callback, 4096)}
}

// Fail sets how calls go wrong.
func (c *Callbacks) Fail(f CallbackFaults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = f
}

// Post has a call made, once, never or twice.
func (c *Callbacks) Post(call Callback) {
	c.mu.Lock()
	f := c.faults
	c.mu.Unlock()
	times := 1
	if c.dice.Chance(f.Lost) {
		times = 0
	} else if c.dice.Chance(f.Twice) {
		times = 2
	}
	if call.Forge != nil && c.dice.Chance(f.Forged) {
		call.Forge(call.Header)
	}
	for range times {
		select {
		case c.queue <- call:
		default: // a receiver this slow loses what comes after
		}
	}
}

// Run makes the calls until ctx ends. Without it none are made.
func (c *Callbacks) Run(ctx context.Context) {
	for {
		var batch []Callback
		select {
		case <-ctx.Done():
			return
		case call := <-c.queue:
			batch = append(batch, call)
		}
		for len(batch) < 16 && len(c.queue) > 0 {
			batch = append(batch, <-c.queue)
		}
		c.mu.Lock()
		shuffled := c.faults.Shuffled
		c.mu.Unlock()
		if shuffled {
			rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		}
		for _, call := range batch {
			c.make(ctx, call)
		}
	}
}

func (c *Callbacks) make(ctx context.Context, call Callback) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		call.Done(false)
		return
	}
	r.Header = call.Header.Clone()
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	call.Done(err == nil && resp.StatusCode < http.StatusMultipleChoices)
}
