// Package ticketing keeps incidents mirrored as tickets in the PSAs of an
// organization, exactly once.
//
// A ticket's row says what is wanted (the incident up to a revision), what was
// done, and what was last seen in the PSA. Follow makes it due in the
// transaction that changes the incident; package work claims it. Whoever holds
// the claim reads the row, the incident and what the PSA has now, asks plan for
// one step, writes that it begins, does it, writes how it ended, and begins
// again. Killed between any two lines, the next one goes on from what it reads.
//
// No PSA knows idempotency keys. So tickets are looked for by a reference that
// the PSA keeps, made of the incident and the PSA's account, and notes by a
// marker in their text. A call that may have been done, for its answer was lost,
// stays in the journal (ticket_steps) until that is settled: by what is found
// some time after the call ended, and for tickets once more later, for one that
// was made late is a duplicate, which Cairn closes.
//
// Locks are taken in this order: incident, ticket, connection, limit of work.
//
// What may not live here: vendors' APIs (integrations/psa), the life of
// incidents, who may do what.
package ticketing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/secret"
	"github.com/cairn-itdr/cairn/internal/work"
)

// Config is what ticketing needs of the rest.
type Config struct {
	DB      *database.DB
	Work    *work.Runner
	Feed    *change.Feed
	Vendors []psa.Vendor
	Secrets *secret.Keeper // none: connections are refused with what to do
	Client  *http.Client   // for calls to addresses people entered
	// Remediate sets an incident remediated, by a person's word in the PSA. It
	// joins the transaction of ctx.
	Remediate func(ctx context.Context, incidentID, reason string) error
	// Tell puts what people said in the PSA on an incident's timeline; nil: it
	// stands on the ticket's alone. It joins the transaction of ctx.
	Tell func(ctx context.Context, incidentID string, notes ...incidents.Note) error
	// PublicURL is where people and PSAs reach Cairn; nil where they can't.
	PublicURL *url.URL
	Pace      Pace
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service keeps the tickets.
type Service struct {
	Config

	// at is called between any two steps, by name; tests end the process there.
	at func(where string)

	mu       sync.Mutex
	adapters map[string]adapterOf // by connection
}

// adapterOf is the adapter of a connection as it was at a time.
type adapterOf struct {
	version time.Time
	adapter psa.Adapter
}

// New returns the service. Register has its work done.
func New(cfg Config) *Service {
	return &Service{Config: cfg, at: func(string) {}, adapters: map[string]adapterOf{}}
}

// Pace is how long things take and how often they are done. Tests go faster.
type Pace struct {
	// Lease is how long a killed worker's ticket waits for another; Run how long
	// a worker may take at one go; Call how long one call of the PSA lasts at the most.
	Lease, Run, Call time.Duration
	// Settle is how long after the end of a call of unknown outcome one looks
	// before concluding that it was not done; Verify when for the last time.
	Settle, Verify time.Duration
	// Retry is the first wait after a failed attempt, RetryMost the longest.
	Retry, RetryMost time.Duration
	// Poll is how often changes of tickets are asked for, Probe how often every
	// open ticket is, Overlap how far a poll reaches back before the last one.
	Poll, Probe, Overlap time.Duration
	// Callbacks is how often the PSA's callbacks are checked.
	Callbacks time.Duration
}

// StandardPace is for real PSAs.
var StandardPace = Pace{
	Lease: 30 * time.Second, Run: 2 * time.Minute, Call: 30 * time.Second,
	Settle: 10 * time.Second, Verify: 2 * time.Minute,
	Retry: 5 * time.Second, RetryMost: 30 * time.Minute,
	Poll: time.Minute, Probe: time.Hour, Overlap: 3 * time.Minute,
	Callbacks: 10 * time.Minute,
}

const (
	// Queue is the work on tickets; the duty's name as well.
	Queue = "ticketing"
	// PollQueue is the reading of what changed in the PSAs.
	PollQueue = "ticket polling"
	// connectionLimit is what both keep to: what a PSA bears.
	connectionLimit = "connection"
	standardPlaces  = 2 // where the adapter says nothing
	workers         = 8
	pollWorkers     = 4

	tickets     = "tickets"
	connections = "psa_connections"
)

// Register has the work runner keep the tickets.
func (s *Service) Register() {
	s.Work.Register(work.Queue{
		Name: Queue, Table: tickets, Newest: "created_at", Workers: workers,
		Limits:  []work.Limit{{Name: connectionLimit, Column: "connection_id", Parallel: standardPlaces}},
		WokenBy: []string{string(change.Ticket)},
		Lease:   s.Pace.Lease, Retry: s.Pace.Retry, RetryMost: s.Pace.RetryMost, Run: s.run,
	})
	s.Work.Register(work.Queue{
		Name: PollQueue, Table: connections, Newest: "created_at", Workers: pollWorkers,
		Limits:  []work.Limit{{Name: connectionLimit, Column: "id", Parallel: standardPlaces}},
		WokenBy: []string{string(change.PSAConnection)},
		Lease:   s.Pace.Lease, Retry: s.Pace.Poll, RetryMost: s.Pace.RetryMost, Run: s.reconcile,
	})
}

// vendor returns the vendor of a kind.
func (s *Service) vendor(kind string) (psa.Vendor, bool) {
	for _, v := range s.Vendors {
		if v.Kind == kind {
			return v, true
		}
	}
	return psa.Vendor{}, false
}

// Adapter returns the connection's adapter, made anew where the connection has
// changed. Its calls keep to the connection's budget.
func (s *Service) Adapter(c *ent.PSAConnection) (psa.Adapter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.adapters[c.ID]; ok && made.version.Equal(c.UpdatedAt) {
		return made.adapter, nil
	}
	vendor, ok := s.vendor(c.Kind)
	if !ok {
		return nil, fmt.Errorf("no adapter for PSAs of kind %q: the connection was made by a newer cairn", c.Kind)
	}
	fields, err := s.fieldsOf(c)
	if err != nil {
		return nil, err
	}
	adapter, err := vendor.New(fields, s.budgeted(c.ID), s.Now)
	if err != nil {
		return nil, err
	}
	s.adapters[c.ID] = adapterOf{version: c.UpdatedAt, adapter: adapter}
	return adapter, nil
}

// budgeted is a client whose calls wait until the connection's budget allows
// them, whichever process makes them, and end after Pace.Call.
func (s *Service) budgeted(connectionID string) *http.Client {
	client := *s.Client
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = turns{func(ctx context.Context) error { return s.Work.Take(ctx, connectionLimit, connectionID) }, next}
	return &client
}

// turns is a transport whose calls wait for their turn.
type turns struct {
	take func(ctx context.Context) error
	next http.RoundTripper
}

// RoundTrip makes a call when its turn has come.
func (t turns) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.take(r.Context()); err != nil {
		return nil, err
	}
	return t.next.RoundTrip(r)
}
