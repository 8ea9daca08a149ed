// Package work claims rows that are due and has them worked off. A capability
// registers a queue: a table with the columns of the ent mixin `due`, the
// limits its rows keep to, and what to do with one of them. What is due stands
// on the row itself; there is no second queue beside it.
//
// A claim is a lease with a fencing token. Whoever works on a row writes within
// Claim.InTx, which refuses a token that is not the row's any more; the lease is
// renewed while the work goes on, and ends by itself where the process is gone.
// A row stays due while it is claimed: what was killed is done again.
//
// Limits hold for all processes on a database together: how many rows of one
// key (a connection, a tenant) are worked on at once, how many calls a minute it
// bears (Take), how many may do one thing at once (Hold), and until when it
// rests. Urgent rows go first and have places of their own, so that they never
// wait for bulk work; then the key with the least under way; then the newest row.
//
// What may not live here: what any row means, and when something is worth doing.
package work

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/database"
)

// Queue is what a capability registers. Table, columns and limits' names are
// constants of the program: they become part of SQL.
type Queue struct {
	// Name of the duty: the system principal its work runs as.
	Name  string
	Table string
	// Newest is the column of the time by which the newest row goes first.
	Newest string
	// Limits its rows keep to; the first is the one that places are shared out by.
	Limits []Limit
	// Workers is how many rows this process works on at once, beside one place
	// that urgent rows alone have.
	Workers int
	// Lease is how long a claim outlives the process that holds it.
	Lease time.Duration
	// Retry is the wait after a failed attempt, doubled with each, RetryMost the longest.
	Retry, RetryMost time.Duration
	// WokenBy are the kinds of changes after which to look for due rows at once.
	WokenBy []string
	// Run works on one row, within its organization's scope, until ctx ends. It
	// may be called for a row on which nothing is left to do.
	Run func(ctx context.Context, c *Claim) Outcome
}

// Limit is something that many rows share, in one queue or several.
type Limit struct {
	Name   string // e.g. connection; one name is one limit in all queues
	Column string // of the table, that holds the key
	// Parallel is how many rows of a key may be under way where SetLimit says
	// nothing else; 0 is no limit. Of more than one, one place is for urgent rows.
	Parallel int
}

// Outcome is how a run ended.
type Outcome struct {
	// Err is what the run failed by; nil where it did what there was to do.
	Err error
	// Again is when to look again, where nothing wakes the row before; zero for
	// never. Of a failure it is the latest moment, or the only one where Final.
	Again time.Time
	// Final says of a failure that trying again does not help: Restart does.
	Final bool
	// After is how long to wait at the least after a failure.
	After time.Duration
	// Blame is the name of the limit whose fault the failure is, "" where it is
	// the row's. Several in a row, or one that is Plain, have the key rest; the
	// row is tried again as soon as it does not.
	Blame  string
	Plain  bool
	Reason string // why, for whoever asks for the state of the limit
	// Record is called in the transaction that ends the claim, with what is
	// going to be the row's state.
	Record func(ctx context.Context, tx *database.Tx, s Settled) error
}

// Settled is a row when its claim has ended.
type Settled struct {
	Next     *time.Time // when it is due; nil where it is not
	Attempts int
	// Woken says that something called for another look during the run.
	Woken bool
}

// Signals is where a runner learns that something may have become due.
type Signals interface {
	Subscribe(kinds ...string) (signal <-chan struct{}, end func())
}

// Config is what a runner needs.
type Config struct {
	DB      *database.DB
	Signals Signals
	Now     func() time.Time
	Logger  *slog.Logger
	// Sweep is how often due rows are looked for without a signal, 0 for the
	// standard: retries, rested keys and what a lost signal left.
	Sweep time.Duration
	// Pause is how long a key rests that fails and does not say itself, at first,
	// and PauseMost at the most; 0 for the standard.
	Pause, PauseMost time.Duration
}

const (
	standardSweep     = time.Second
	standardPause     = 5 * time.Second
	standardPauseMost = 5 * time.Minute
)

// Runner works off the queues registered with it.
type Runner struct {
	Config

	queues []*queue

	mu      sync.Mutex
	budgets map[limitKey]*budget
	places  map[limitKey]chan struct{} // of this process
}

// limitKey is one key of a limit.
type limitKey struct{ name, key string }

// queue is a registered queue with this process's places.
type queue struct {
	Queue

	mu     sync.Mutex
	busy   int           // rows under way in this process
	urgent int           // of them, in the place that urgent rows have
	freed  chan struct{} // holds a signal after a place became free
	going  sync.WaitGroup
}

// New returns a runner without queues.
func New(cfg Config) *Runner {
	if cfg.Sweep == 0 {
		cfg.Sweep = standardSweep
	}
	if cfg.Pause == 0 {
		cfg.Pause, cfg.PauseMost = standardPause, standardPauseMost
	}
	return &Runner{Config: cfg, budgets: map[limitKey]*budget{}, places: map[limitKey]chan struct{}{}}
}

// Register adds a queue. All processes that work on a database register the
// same ones: limits count what is under way in all of them. Not while it runs.
func (r *Runner) Register(q Queue) {
	r.queues = append(r.queues, &queue{Queue: q, freed: make(chan struct{}, 1)})
}

// ErrStale is returned where a claim is not its holder's any more.
var ErrStale = errors.New("the claim of the row ran out, and another may hold it")

// Backoff doubles with each failed attempt, from the first to the most, and
// scatters, so that what failed together does not come back together.
func Backoff(first, most time.Duration, attempts int) time.Duration {
	d := most
	if attempts < 30 && first<<attempts < most && first<<attempts > 0 {
		d = first << attempts
	}
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // nobody gains by guessing it
}
