package work_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/work"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// yard is a database with a table of chores, and runners over it that stand for
// processes.
type yard struct {
	testing.TB

	db   *database.DB
	feed *change.Feed
	org  string

	mu  sync.Mutex
	now time.Time
	ran []string
}

func newYard(t testing.TB, db *database.DB) *yard {
	t.Helper()
	_, o := databasetest.Organization(t, db, "A")
	y := &yard{TB: t, db: db, org: o.ID, now: t0}
	y.feed = change.New(db, y.clock)
	kind := "datetime"
	if db.Dialect() == database.Postgres {
		kind = "timestamptz"
	}
	for _, table := range []string{"chores", "errands"} {
		y.exec(fmt.Sprintf("CREATE TABLE %s (id text PRIMARY KEY, organization_id text NOT NULL, connection_id text NOT NULL, tenant_id text NOT NULL, "+
			"created_at %[2]s NOT NULL, next_attempt_at %[2]s, urgency integer NOT NULL DEFAULT 0, attempts integer NOT NULL DEFAULT 0, "+
			"wakes integer NOT NULL DEFAULT 0, fence integer NOT NULL DEFAULT 0, claimed_until %[2]s, note text NOT NULL DEFAULT '')", table, kind))
	}
	return y
}

func each(t *testing.T, test func(y *yard)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newYard(t, db)) })
}

// eachLimited has rows keep to one limit, and to two: they are looked for in
// different ways.
func eachLimited(t *testing.T, test func(y *yard, limits int)) {
	t.Helper()
	for _, limits := range []int{1, 2} {
		each(t, func(y *yard) { test(y, limits) })
	}
}

func (y *yard) clock() time.Time {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.now
}

func (y *yard) pass(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.now = y.now.Add(d)
}

func (y *yard) ctx() context.Context {
	return access.SystemAcrossOrganizations(context.Background(), "test")
}

func (y *yard) exec(statement string, args ...any) {
	y.Helper()
	require.NoError(y, y.db.InTx(y.ctx(), func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.SQL.ExecContext(ctx, statement, args...)
		return err
	}))
}

// add makes a row due: "id connection tenant", newest last, urgent where the id ends in "!".
func (y *yard) add(table string, rows ...string) {
	y.Helper()
	for n, row := range rows {
		f := strings.Fields(row)
		urgency := strings.Count(f[0], "!")
		y.exec("INSERT INTO "+table+" (id, organization_id, connection_id, tenant_id, created_at, next_attempt_at, urgency) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			f[0], y.org, f[1], f[2], t0.Add(time.Duration(n)*time.Millisecond), t0, urgency)
	}
}

// row is "attempts due" of a row, due as the time since t0, or "-".
func (y *yard) row(id string) string {
	y.Helper()
	var attempts int
	var next, claimed *time.Time
	require.NoError(y, y.db.Reader().QueryRowContext(y.ctx(), "SELECT attempts, next_attempt_at, claimed_until FROM chores WHERE id = $1", id).Scan(&attempts, &next, &claimed))
	due := "-"
	if next != nil {
		due = next.Sub(t0).String()
	}
	if claimed != nil {
		due += " claimed"
	}
	return fmt.Sprintf("%d %s", attempts, due)
}

func (y *yard) chores(run func(ctx context.Context, c *work.Claim) work.Outcome) work.Queue {
	return work.Queue{
		Name: "chores", Table: "chores", Newest: "created_at", Workers: 4, Lease: time.Minute, Retry: 4 * time.Second, RetryMost: time.Minute,
		Limits:  []work.Limit{{Name: "connection", Column: "connection_id", Parallel: 4}, {Name: "tenant", Column: "tenant_id"}},
		WokenBy: []string{string(change.Ticket)},
		Run: func(ctx context.Context, c *work.Claim) work.Outcome {
			y.mu.Lock()
			y.ran = append(y.ran, c.ID)
			y.mu.Unlock()
			return run(ctx, c)
		},
	}
}

func (y *yard) runner(queues ...work.Queue) *work.Runner {
	r := work.New(work.Config{DB: y.db, Signals: y.feed, Now: y.clock, Logger: slog.New(slog.DiscardHandler), Sweep: 20 * time.Millisecond})
	for _, q := range queues {
		r.Register(q)
	}
	return r
}

func (y *yard) drain(r *work.Runner) []string {
	y.Helper()
	require.NoError(y, r.Drain(context.Background(), "chores"))
	y.mu.Lock()
	defer y.mu.Unlock()
	ran := y.ran
	y.ran = nil
	return ran
}

func done(context.Context, *work.Claim) work.Outcome { return work.Outcome{} }

func one(q work.Queue) work.Queue { // one row at a time
	q.Workers = 1
	for i := range q.Limits {
		if q.Limits[i].Parallel > 0 {
			q.Limits[i].Parallel = 1
		}
	}
	return q
}

func TestUrgentThenNewestFirst(t *testing.T) {
	t.Parallel()
	eachLimited(t, func(y *yard, limits int) {
		chores := y.chores(done)
		chores.Limits = chores.Limits[:limits]
		y.add("chores", "old c t", "urgent! c t", "middle c t", "new c t")
		require.Equal(y, []string{"urgent!", "new", "middle", "old"}, y.drain(y.runner(one(chores))))
		require.Equal(y, "0 -", y.row("new"))
		require.Empty(y, y.drain(y.runner(chores)))
	})
}

// Ensure one connection's flood, newer though it is, does not keep another waiting.
func TestFairBetweenKeys(t *testing.T) {
	t.Parallel()
	eachLimited(t, func(y *yard, limits int) {
		y.add("chores", "b1 b t", "b2 b t", "a1 a t", "a2 a t", "a3 a t", "a4 a t")
		started, release := make(chan string, 10), make(chan struct{})
		q := y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			started <- c.ID
			<-release
			return work.Outcome{}
		})
		q.Limits = q.Limits[:limits]
		ended := make(chan error, 1)
		go func() { ended <- y.runner(q).Drain(context.Background(), "chores") }()
		first := []string{<-started, <-started, <-started, <-started}
		require.ElementsMatch(y, []string{"a4", "b2", "a3", "b1"}, first)
		close(release)
		require.NoError(y, <-ended)
	})
}

// Ensure a key has so many rows under way over all processes and queues, and
// urgent ones have a place that bulk work never takes.
func TestParallelOverProcesses(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		for n := range 12 {
			y.add("chores", fmt.Sprintf("c%d c t", n))
			y.add("errands", fmt.Sprintf("e%d c t", n))
		}
		var mu sync.Mutex
		under, most, urgentRan := 0, 0, false
		started, release := make(chan string, 50), make(chan struct{})
		run := func(_ context.Context, c *work.Claim) work.Outcome {
			mu.Lock()
			under++
			most = max(most, under)
			urgentRan = urgentRan || c.Urgent
			mu.Unlock()
			started <- c.ID
			<-release
			mu.Lock()
			under--
			mu.Unlock()
			return work.Outcome{}
		}
		chores := y.chores(run)
		errands := y.chores(run)
		errands.Name, errands.Table = "errands", "errands"
		running, stop := context.WithCancel(context.Background())
		var processes sync.WaitGroup
		for range 2 {
			r := y.runner(chores, errands)
			processes.Go(func() { _ = r.Run(running) })
		}
		for range 3 { // of four places bulk work takes three
			<-started
		}
		y.add("errands", "now! c t")
		require.Equal(y, "now!", <-started, "all bulk places are taken, and the urgent row runs")
		close(release)
		for range 21 {
			<-started
		}
		stop()
		processes.Wait()
		require.True(y, urgentRan)
		require.LessOrEqual(y, most, 4)
	})
}

// Ensure two processes never work on one row at once, and every row is done.
func TestTwoWorkersShare(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		const rows = 60
		for n := range rows {
			y.add("chores", fmt.Sprintf("r%d c%d t", n, n%7))
		}
		q := y.chores(func(ctx context.Context, c *work.Claim) work.Outcome {
			err := c.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				_, err := tx.SQL.ExecContext(ctx, "UPDATE chores SET note = note || 'x' WHERE id = $1", c.ID)
				return err
			})
			return work.Outcome{Err: err}
		})
		var both sync.WaitGroup
		for range 2 {
			r := y.runner(q)
			both.Go(func() {
				if err := r.Drain(context.Background(), "chores"); err != nil {
					y.Error(err)
				}
			})
		}
		both.Wait()
		var once int
		require.NoError(y, y.db.Reader().QueryRowContext(y.ctx(), "SELECT count(*) FROM chores WHERE note = 'x' AND next_attempt_at IS NULL AND claimed_until IS NULL").Scan(&once))
		require.Equal(y, rows, once)
	})
}

// Ensure a killed run's row is done again once its lease is over and not before,
// and what the killed one still writes is refused.
func TestKilledAndStale(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		var stale *work.Claim
		r := y.runner(y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			if stale == nil {
				stale = c
				runtime.Goexit() // nothing after this line happens
			}
			return work.Outcome{}
		}))
		write := func(ctx context.Context, _ *database.Tx) error { return ctx.Err() }
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "0 0s claimed", y.row("r"))
		y.pass(time.Minute - time.Second)
		require.Empty(y, y.drain(r))
		require.NoError(y, stale.InTx(y.ctx(), write), "it is still its own")
		y.pass(2 * time.Second)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "0 -", y.row("r"))
		require.ErrorIs(y, stale.InTx(y.ctx(), write), work.ErrStale)

		// Also while another works on it.
		y.exec("UPDATE chores SET next_attempt_at = $1", y.clock())
		held := stale
		r = y.runner(y.chores(func(ctx context.Context, _ *work.Claim) work.Outcome {
			require.ErrorIs(y, held.InTx(ctx, write), work.ErrStale)
			return work.Outcome{}
		}))
		require.Equal(y, []string{"r"}, y.drain(r))
	})
}

// Ensure a run whose row is taken from it is told, and its end changes nothing.
func TestLostLease(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		take := func() { y.exec("UPDATE chores SET fence = fence + 1, note = 'another has it'") }
		q := y.chores(func(ctx context.Context, _ *work.Claim) work.Outcome {
			take()
			<-ctx.Done() // the renewal notices
			require.ErrorIs(y, context.Cause(ctx), work.ErrStale)
			return work.Outcome{Err: ctx.Err(), Final: true}
		})
		q.Lease = 30 * time.Millisecond // renewed by the machine's clock
		require.Equal(y, []string{"r"}, y.drain(y.runner(q)))
		require.Equal(y, "0 0s claimed", y.row("r"))
	})
}

// Ensure a run that takes longer than its lease keeps it.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		q := y.chores(func(ctx context.Context, c *work.Claim) work.Outcome {
			y.pass(time.Hour)
			for { // until the lease reaches beyond now again
				var until time.Time
				require.NoError(y, y.db.Reader().QueryRowContext(ctx, "SELECT claimed_until FROM chores WHERE id = $1", c.ID).Scan(&until))
				if until.After(y.clock()) {
					return work.Outcome{}
				}
			}
		})
		q.Lease = 100 * time.Millisecond
		require.Equal(y, []string{"r"}, y.drain(y.runner(q)))
	})
}

// Ensure a stopped process gives its rows free for whoever comes next.
func TestStopped(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		running, stop := context.WithCancel(context.Background())
		r := y.runner(y.chores(func(ctx context.Context, _ *work.Claim) work.Outcome {
			stop()
			<-ctx.Done()
			return work.Outcome{Err: ctx.Err()}
		}))
		require.ErrorIs(y, r.Run(running), context.Canceled)
		require.Equal(y, "0 0s", y.row("r"), "due, free, and no failure")
	})
}

func TestFailuresBackOff(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t", "other c t")
		boom := errors.New("boom")
		out := work.Outcome{Err: boom}
		r := y.runner(y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			if c.ID == "other" {
				return work.Outcome{}
			}
			return out
		}))
		require.ElementsMatch(y, []string{"r", "other"}, y.drain(r))
		require.Regexp(y, `^1 [234]`, y.row("r"))
		y.pass(4 * time.Second)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Regexp(y, `^2 (8|9|10|11|12)`, y.row("r"))
		out.After = time.Hour
		y.pass(8 * time.Second)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "3 1h0m12s", y.row("r"))
		out = work.Outcome{Err: boom, Final: true}
		y.pass(time.Hour)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "4 -", y.row("r"))

		// News does not mend it; a person may have.
		wake := func(do func(context.Context, *database.Tx, string, ...string) error) {
			require.NoError(y, y.db.InTx(y.ctx(), func(ctx context.Context, tx *database.Tx) error { return do(ctx, tx, "chores", "r") }))
		}
		wake(r.Wake)
		require.Empty(y, y.drain(r))
		out = work.Outcome{Again: y.clock().Add(time.Hour)}
		wake(r.Restart)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "0 2h0m12s", y.row("r"))
		out = work.Outcome{Err: boom, Final: true, Again: y.clock().Add(2 * time.Hour)}
		wake(r.Wake)
		require.Equal(y, []string{"r"}, y.drain(r))
		require.Equal(y, "1 3h0m12s", y.row("r"), "what has to be looked after is, however it failed")
	})
}

// Ensure a defect costs a run, and nothing else.
func TestDefect(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		require.Equal(y, []string{"r"}, y.drain(y.runner(y.chores(func(context.Context, *work.Claim) work.Outcome { panic("defect") }))))
		require.Regexp(y, `^1 [234]`, y.row("r"))
	})
}

// Ensure whatever wakes a row during its run leads to another run, whether the
// first succeeds or gives up, and Record is told.
func TestWokenDuringRun(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "good c t", "bad c t")
		runs := map[string]int{}
		var woken []bool
		var r *work.Runner
		q := one(y.chores(func(ctx context.Context, c *work.Claim) work.Outcome {
			runs[c.ID]++
			out := work.Outcome{Record: func(_ context.Context, _ *database.Tx, s work.Settled) error {
				woken = append(woken, s.Woken)
				return nil
			}}
			if runs[c.ID] > 1 {
				return out
			}
			require.NoError(y, y.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error { return r.Wake(ctx, tx, "chores", c.ID) }))
			if c.ID == "bad" {
				out.Err, out.Final = errors.New("no"), true
			}
			return out
		}))
		r = y.runner(q)
		require.Equal(y, []string{"bad", "good", "good"}, y.drain(r))
		y.pass(4 * time.Second)
		require.Equal(y, []string{"bad"}, y.drain(r))
		require.Equal(y, []bool{true, true, false, false}, woken)
	})
}

// Ensure one key's trouble has that key rest and no other; that a success beside
// it does not end the rest; that while it fails one row tries; and that the
// newest goes first again.
func TestKeyRests(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "a1 a t", "a2 a t", "a3 a t", "b1 b t")
		throttled, fine := true, make(chan struct{})
		r := y.runner(y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			switch {
			case c.ID == "b1", c.ID == "a3" && throttled:
				if c.ID == "a3" {
					<-fine
				}
				return work.Outcome{}
			case throttled:
				defer func() {
					if c.ID == "a2" {
						close(fine)
					}
				}()
				return work.Outcome{Err: errors.New("429"), Blame: "connection", Plain: true, After: time.Minute, Reason: "THROTTLED"}
			}
			return work.Outcome{}
		}))
		ran := y.drain(r)
		require.Subset(y, ran, []string{"b1", "a3", "a2"})
		state, err := r.LimitState(y.ctx(), "connection", "a")
		require.NoError(y, err)
		require.NotNil(y, state.PausedUntil, "the success of a3 came after the 429 of a2")
		require.Equal(y, t0.Add(time.Minute), *state.PausedUntil)
		require.Equal(y, "THROTTLED", state.Reason)
		throttled = false
		y.pass(59 * time.Second)
		require.Empty(y, y.drain(r))
		y.pass(time.Second)
		require.ElementsMatch(y, []string{"a1", "a2"}, y.drain(r))
	})
}

// Ensure a key that does not answer rests after some failures of different rows,
// is tried by one row at a time, longer and longer, and comes back whole.
func TestKeyDown(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		for n := range 9 {
			y.add("chores", fmt.Sprintf("a%d a t", n))
		}
		down := true
		r := y.runner(y.chores(func(context.Context, *work.Claim) work.Outcome {
			if down {
				return work.Outcome{Err: errors.New("down"), Blame: "connection", Reason: "UNAVAILABLE"}
			}
			return work.Outcome{}
		}))
		require.NotEmpty(y, y.drain(r))
		failures := func() int {
			s, err := r.LimitState(y.ctx(), "connection", "a")
			require.NoError(y, err)
			require.NotNil(y, s.PausedUntil)
			return s.Failures
		}
		before := failures()
		require.GreaterOrEqual(y, before, 5)
		for range 3 {
			y.pass(5 * time.Minute)
			require.Equal(y, []string{"a8"}, y.drain(r), "the newest tries for all, however often it failed")
			require.Equal(y, before+1, failures())
			before++
		}
		down = false
		y.pass(5 * time.Minute)
		require.Len(y, y.drain(r), 9)
	})
}

// Ensure one row that fails again and again does not have its key rest.
func TestOneRowIsNotItsKey(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r a t")
		r := y.runner(y.chores(func(context.Context, *work.Claim) work.Outcome {
			return work.Outcome{Err: errors.New("timeout"), Blame: "connection"}
		}))
		for range 8 {
			require.Equal(y, []string{"r"}, y.drain(r))
			y.pass(2 * time.Minute)
		}
		s, err := r.LimitState(y.ctx(), "connection", "a")
		require.NoError(y, err)
		require.Nil(y, s.PausedUntil)
		require.Equal(y, 1, s.Failures)
	})
}

// Ensure a change wakes the work at once, and that without the signal the sweep does.
func TestWokenByChange(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		ran := make(chan string, 1)
		r := work.New(work.Config{DB: y.db, Signals: y.feed, Now: y.clock, Logger: slog.New(slog.DiscardHandler), Sweep: time.Hour})
		r.Register(y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			ran <- c.ID
			return work.Outcome{}
		}))
		running, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(running) }()
		for _, id := range []string{"one", "two"} {
			require.NoError(y, y.db.InTx(y.ctx(), func(ctx context.Context, tx *database.Tx) error {
				_, err := tx.SQL.ExecContext(ctx, "INSERT INTO chores (id, organization_id, connection_id, tenant_id, created_at, next_attempt_at) VALUES ($1, $2, 'c', 't', $3, $3)", id, y.org, t0)
				y.feed.Note(tx, change.Change{OrganizationID: y.org, What: change.Ticket, ObjectID: id})
				return err
			}))
			require.Equal(y, id, <-ran)
		}
		stop()
		require.ErrorIs(y, <-ended, context.Canceled)

		swept := y.runner(y.chores(func(_ context.Context, c *work.Claim) work.Outcome {
			ran <- c.ID
			return work.Outcome{}
		}))
		running, stop = context.WithCancel(context.Background())
		defer stop()
		go func() { ended <- swept.Run(running) }()
		y.add("chores", "silent c t")
		require.Equal(y, "silent", <-ran)
		stop()
		<-ended
	})
}

// Ensure runs act within their row's organization, as the named duty.
func TestScopeOfARun(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		y.add("chores", "r c t")
		y.drain(y.runner(y.chores(func(ctx context.Context, c *work.Claim) work.Outcome {
			s, err := access.From(ctx)
			require.NoError(y, err)
			require.Equal(y, y.org, s.OrganizationID)
			require.False(y, s.EveryOrganization())
			require.Equal(y, "chores", s.Principal.ID)
			require.Equal(y, "c", c.Key("connection"))
			return work.Outcome{}
		})))
	})
}

// Ensure two processes together make no more calls than a key bears, and a key
// without a budget never waits.
func TestBudget(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		a, b := y.runner(), y.runner()
		require.NoError(y, y.db.InTx(y.ctx(), func(ctx context.Context, tx *database.Tx) error {
			return a.SetLimit(ctx, tx, "connection", "c", y.org, 2, 60)
		}))
		for range 500 {
			require.NoError(y, a.Take(y.ctx(), "connection", "free"))
		}
		// A burst of twenty seconds, and then none: a further call waits for
		// longer than it is given.
		taken, refused := 0, 0
		for i := 0; refused < 3; i++ {
			soon, cancel := context.WithTimeout(y.ctx(), 500*time.Millisecond)
			if r := []*work.Runner{a, b}[i%2]; r.Take(soon, "connection", "c") == nil {
				taken++
			} else {
				refused++
			}
			cancel()
		}
		require.LessOrEqual(y, taken, 22)
		require.GreaterOrEqual(y, taken, 20)
		s, err := a.LimitState(y.ctx(), "connection", "c")
		require.NoError(y, err)
		require.Equal(y, 60, s.PerMinute)
		require.Positive(y, s.CallsThisMinute)
	})
}
