// Package psa is what the simulated PSAs below it share: faults, a fast clock,
// callbacks that get lost, and a page of tickets on which one acts as a
// technician. Like them it is a stranger to Cairn and imports none of it.
//
// What may not live here: anything of one vendor's API.
package psa

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is a way for calls to go wrong.
type Fault struct {
	// Method and Resource choose the calls: empty is any; Resource is the
	// beginning of a path below the API's root, "*" standing for an id, e.g.
	// "service/tickets/*/notes".
	Method   string `json:"method,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Rate is the chance of a call to go wrong; 0 is always.
	Rate float64 `json:"rate,omitempty"`
	// Times is how often it may happen; 0 is without end.
	Times int `json:"times,omitempty"`

	// AfterCommit has the call done before it goes wrong.
	AfterCommit bool `json:"afterCommit,omitempty"`
	// Pass answers as it should, when Delay is over.
	Pass bool `json:"pass,omitempty"`
	// Drop cuts the connection; else Status is answered.
	Drop   bool `json:"drop,omitempty"`
	Status int  `json:"status,omitempty"`
	// RetryAfter goes with the status, in seconds; 0: no header.
	RetryAfter int `json:"retryAfter,omitempty"`
	// HTML answers with a page of the edge in front instead of the API's error.
	HTML bool `json:"html,omitempty"`
	// Delay is waited first, in nanoseconds where it is written as JSON.
	Delay time.Duration `json:"delay,omitempty"`
}

// Faults are those of one instance, and its dice.
type Faults struct {
	mu   sync.Mutex
	dice *rand.Rand
	all  []*Fault
}

// NewFaults returns none, and dice that always fall the same for a seed.
func NewFaults(seed uint64) *Faults {
	return &Faults{dice: rand.New(rand.NewPCG(seed, 0xc0))}
}

// Set replaces the faults; none ends them.
func (f *Faults) Set(all ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = nil
	for _, x := range all {
		f.all = append(f.all, &x)
	}
}

// Chance rolls the dice.
func (f *Faults) Chance(p float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return p > 0 && f.dice.Float64() < p
}

// Next returns the fault that a call meets, nil for none.
func (f *Faults) Next(method, resource string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := Pattern(resource)
	for i, x := range f.all {
		if x.Method != "" && x.Method != method || !strings.HasPrefix(name, x.Resource) || x.Rate > 0 && f.dice.Float64() >= x.Rate {
			continue
		}
		if x.Times > 0 {
			if x.Times--; x.Times == 0 {
				f.all = slices.Delete(f.all, i, i+1)
			}
		}
		met := *x
		return &met
	}
	return nil
}

// Pattern is a path with "*" in the place of ids.
func Pattern(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// Answer is what a call is answered with.
type Answer struct {
	Status int
	Header http.Header
	Body   any // a string is a page of HTML, []byte is sent as it is, the rest JSON
}

// Serve answers a call, or lets it go wrong. Refuse is how the API words an
// error; handle does what was asked.
func (f *Faults) Serve(w http.ResponseWriter, r *http.Request, resource string, refuse func(status int) any, handle func() Answer) {
	fault := f.Next(r.Method, resource)
	if fault == nil {
		Write(w, handle())
		return
	}
	var done Answer
	if fault.AfterCommit || fault.Pass {
		done = handle()
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	switch {
	case fault.Pass:
		Write(w, done)
	case fault.Drop, fault.Status == 0:
		panic(http.ErrAbortHandler) // cuts the connection, and says nothing
	default:
		out := Answer{Status: fault.Status, Header: http.Header{}, Body: refuse(fault.Status)}
		if fault.RetryAfter > 0 {
			out.Header.Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		}
		if fault.HTML {
			out.Body = "<html><head><title>" + strconv.Itoa(fault.Status) + "</title></head><body>cloudflare</body></html>"
		}
		Write(w, out)
	}
}
