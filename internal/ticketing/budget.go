package ticketing

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
)

// Budget is how many calls a connection may make, and has made.
type Budget struct {
	CallsPerMinute int
	Used           int // in the minute under way, by all processes
}

// BudgetOf returns a connection's budget.
func (s *Service) BudgetOf(c *ent.PSAConnection) Budget {
	b := Budget{CallsPerMinute: c.CallsPerMinute}
	if c.Minute != nil && s.Now().Sub(*c.Minute) < time.Minute {
		b.Used = c.MinuteCalls
	}
	return b
}

// budgeted is a client whose calls wait until the connection's budget allows
// them, whichever process makes them.
func (s *Service) budgeted(c *ent.PSAConnection) *http.Client {
	client := *s.Client
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &budget{service: s, organizationID: c.OrganizationID, connectionID: c.ID, perMinute: c.CallsPerMinute, next: next}
	return &client
}

// budget is a transport that takes calls out of the connection's row, some at a
// time: a row written for each call would cost more than the call.
type budget struct {
	service                      *Service
	organizationID, connectionID string
	perMinute                    int
	next                         http.RoundTripper

	mu   sync.Mutex
	left int       // calls taken and not made
	at   time.Time // when the next of them may be made
}

// RoundTrip makes a call when its turn has come.
func (b *budget) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := b.turn(r.Context())
	if err != nil {
		return nil, err
	}
	if wait := at.Sub(b.service.Now()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return b.next.RoundTrip(r)
}

// interval is the time from one call to the next.
func (b *budget) interval() time.Duration { return time.Minute / time.Duration(b.perMinute) }

// taken is how many calls are taken at once: those of a tenth of a second.
func (b *budget) taken() int { return max(1, b.perMinute/600) }

// turn returns when the next call may be made.
func (b *budget) turn(ctx context.Context) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 || b.service.Now().Sub(b.at) > time.Second { // what was not used is past
		at, err := b.take(ctx)
		if err != nil {
			return time.Time{}, err
		}
		b.left, b.at = b.taken(), at
	}
	at := b.at
	b.left--
	b.at = at.Add(b.interval())
	return at, nil
}

// burst is how many seconds' calls may be made at once after a rest.
const burst = 2 * time.Second

// take speaks for the next calls in the connection's row and returns when the
// first of them may be made.
func (b *budget) take(ctx context.Context) (time.Time, error) {
	s := b.service
	ctx = access.System(ctx, "ticketing", b.organizationID)
	var at time.Time
	err := s.onConnection(ctx, b.connectionID, func(c *ent.PSAConnection, u *ent.PSAConnectionUpdateOne) {
		now := s.Now()
		at = now.Add(-burst)
		if c.BudgetAt != nil && c.BudgetAt.After(at) {
			at = *c.BudgetAt
		}
		u.SetBudgetAt(at.Add(time.Duration(b.taken()) * b.interval()))
		minute := now.Truncate(time.Minute)
		if c.Minute != nil && c.Minute.Equal(minute) {
			u.AddMinuteCalls(b.taken())
		} else {
			u.SetMinute(minute).SetMinuteCalls(b.taken())
		}
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("take calls out of the budget: %w", err)
	}
	return at, nil
}
