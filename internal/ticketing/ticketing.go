// Package ticketing keeps incidents mirrored as tickets in the PSAs of an
// organization, exactly once.
//
// A ticket's row says what is wanted (the incident up to a revision), what was
// done, and what was last seen in the PSA. Follow writes what is wanted, in the
// transaction that changes the incident; Drain drives rows to it, one at a time
// under a claim that ends by itself; Sweep finds what a lost wake-up or a
// killed process left. Nothing is remembered outside the rows.
//
// No PSA knows idempotency keys. So the row says that an attempt begins before
// it does, and whoever finds such an attempt without its outcome looks for the
// ticket by its reference, or for the note by its marker, before trying again.
// An attempt that is done later than anybody looks is found by a second look
// (verify_at), and its ticket closed as a duplicate.
//
// Locks are taken in this order: incident, organization (package change),
// ticket, connection.
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
	"github.com/cairn-itdr/cairn/internal/database"
)

// Keeper seals what must not be read outside the row it belongs to. That there
// is none is an error that says what to do.
type Keeper interface {
	Seal(organizationID, connectionID string, plaintext []byte) ([]byte, error)
	Open(organizationID, connectionID string, sealed []byte) ([]byte, error)
}

// Config is what ticketing needs of the rest.
type Config struct {
	DB      *database.DB
	Vendors map[string]psa.Vendor // by kind: CONNECTWISE
	Secrets func() (Keeper, error)
	Client  *http.Client // for calls to addresses people entered
	// Wake has Drain called for the connection, soon after tx commits.
	Wake func(ctx context.Context, tx *database.Tx, organizationID, connectionID string) error
	// Changed notes, before anything else in tx, that incidents look different.
	Changed func(ctx context.Context, tx *database.Tx, tenantID, incidentID string) error
	// PublicURL is where people and PSAs reach Cairn; nil where they can't.
	PublicURL *url.URL
	Pace      Pace
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service keeps the tickets.
type Service struct {
	Config

	mu    sync.Mutex
	desks map[string]*desk // by connection
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, desks: map[string]*desk{}}
}

// Pace is how long things take and how often they are done. Tests go faster.
type Pace struct {
	// Claim is how long a ticket is one worker's; Work how long the worker may
	// take, which ends well before: no call is begun when the claim may be over.
	Claim, Work time.Duration
	// Settle is how long after an attempt of unknown outcome one looks again
	// before concluding that it was not done; Verify when for the last time.
	Settle, Verify time.Duration
	// Retry is the first wait after a failed attempt, RetryMost the longest.
	Retry, RetryMost time.Duration
	// Pause is how long a connection rests that does not answer, PauseMost the longest.
	Pause, PauseMost time.Duration
	// Poll is how often changes of tickets are asked for, Probe how often every
	// open ticket is, Overlap how far a poll reaches back before the last one.
	Poll, Probe, Overlap time.Duration
	// Callbacks is how often the PSA's callbacks are checked.
	Callbacks time.Duration
}

// StandardPace is for real PSAs.
var StandardPace = Pace{
	Claim: 90 * time.Second, Work: 60 * time.Second,
	Settle: 10 * time.Second, Verify: 2 * time.Minute,
	Retry: 5 * time.Second, RetryMost: 30 * time.Minute,
	Pause: 5 * time.Second, PauseMost: 5 * time.Minute,
	Poll: time.Minute, Probe: 10 * time.Minute, Overlap: 3 * time.Minute,
	Callbacks: 10 * time.Minute,
}

// desk is a connection as this process works it.
type desk struct {
	mu      sync.Mutex
	version time.Time // of the connection the adapter was made of
	adapter psa.Adapter
	slots   chan struct{}
}

// adapter returns the connection's adapter, made anew where the connection has changed.
func (s *Service) adapter(c *ent.PSAConnection) (*desk, psa.Adapter, error) {
	s.mu.Lock()
	d, ok := s.desks[c.ID]
	if !ok {
		d = &desk{}
		s.desks[c.ID] = d
	}
	s.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.adapter != nil && d.version.Equal(c.UpdatedAt) {
		return d, d.adapter, nil
	}
	fields, err := s.fieldsOf(c)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := s.build(c.Kind, fields, s.budgeted(c))
	if err != nil {
		return nil, nil, err
	}
	if d.slots == nil {
		d.slots = make(chan struct{}, max(1, adapter.Describe().Limits.Parallel))
	}
	d.adapter, d.version = adapter, c.UpdatedAt
	return d, adapter, nil
}

// build makes an adapter of a kind.
func (s *Service) build(kind string, fields map[string]string, client *http.Client) (psa.Adapter, error) {
	vendor, ok := s.Vendors[kind]
	if !ok {
		return nil, fmt.Errorf("no adapter for PSAs of kind %q: the connection was made by a newer cairn", kind)
	}
	return vendor.New(fields, client, s.Now)
}
