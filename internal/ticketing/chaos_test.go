package ticketing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/work"
)

// fastPace has minutes pass in moments.
var fastPace = ticketing.Pace{
	Lease: 600 * time.Millisecond, Run: 10 * time.Second, Call: 400 * time.Millisecond,
	Settle: 300 * time.Millisecond, Verify: 900 * time.Millisecond,
	Retry: 50 * time.Millisecond, RetryMost: 400 * time.Millisecond,
	Poll: 300 * time.Millisecond, Probe: 2 * time.Second, Overlap: 3 * time.Second, Callbacks: time.Second,
}

// chaosIncidents is how many incidents there are: a few, or as many as
// CAIRN_CHAOS says (make chaos).
func chaosIncidents(t *testing.T) int {
	t.Helper()
	if said := os.Getenv("CAIRN_CHAOS"); said != "" {
		n, err := strconv.Atoi(said)
		require.NoError(t, err)
		return n
	}
	return 150
}

// TestChaos has everything go wrong at once in three PSAs, and then compares: one
// ticket an incident in each, every note once and in order, states equal. It ends
// with one line.
// A killed process is one whose work ends at any line and leaves its leases; a
// killed PostgreSQL is one that ends every connection.
func TestChaos(t *testing.T) {
	t.Parallel()
	incidents := chaosIncidents(t)
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": databasetest.SQLite, "PostgreSQL": databasetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, open(t))
			c.rage(incidents)
			c.calm()
			c.report(incidents)
		})
	}
}

// chaos is a desk on the machine's clock, with two processes that die.
type chaos struct {
	*desk

	client    *http.Client
	instances []*instance
	dice      *rand.Rand
	dying     atomic.Bool
	kills     atomic.Int64
	processes sync.WaitGroup
	raging    context.Context
	stop      context.CancelFunc
}

func newChaos(t *testing.T, db *database.DB) *chaos {
	t.Helper()
	c := &chaos{desk: newDesk(t, db), dice: rand.New(rand.NewPCG(1, 2)), client: &http.Client{Timeout: fastPace.Call}}
	receiver := httptest.NewTLSServer(http.HandlerFunc(c.receive))
	t.Cleanup(receiver.Close)
	c.instances = instances(t, time.Now, receiver.Client())
	c.vendors = unhurried(c.instances)
	var err error
	c.public, err = url.Parse(receiver.URL)
	require.NoError(t, err)
	c.raging, c.stop = context.WithCancel(context.Background())
	c.clockOf = time.Now
	c.start()
	for _, i := range c.instances {
		if i.connection, err = c.service.Connect(c.ctx, i.form(t)); err != nil {
			require.NoError(t, err, i.vendor.Name)
		}
	}
	for range 2 {
		c.processes.Go(c.process)
	}
	for _, i := range c.instances {
		c.processes.Go(func() { i.Deliver(c.raging) })
	}
	c.processes.Go(func() { _ = c.feed.Listen(c.raging, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() { c.stop(); c.processes.Wait() })
	return c
}

// receive takes callbacks in, as the server does.
func (c *chaos) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	err = c.service.Callback(access.System(r.Context(), "callback", c.tenant.OrganizationID), path.Base(r.URL.Path), r.Header, body)
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// process works, dies, and is started again, until the end.
func (c *chaos) process() {
	for c.raging.Err() == nil {
		life, die := context.WithCancel(c.raging)
		w := work.New(work.Config{
			DB: c.db, Signals: c.feed, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
			Sweep: 30 * time.Millisecond, Pause: 100 * time.Millisecond, PauseMost: 500 * time.Millisecond,
		})
		s := ticketing.New(ticketing.Config{
			DB: c.db, Work: w, Feed: c.feed, Vendors: c.vendors, Secrets: c.key, Client: c.client, PublicURL: c.public,
			Pace: fastPace, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
		s.At(func(string) {
			if life.Err() != nil || c.dying.Load() && rand.IntN(40) == 0 {
				if life.Err() == nil {
					c.kills.Add(1)
				}
				die()
				runtime.Goexit() // not a line more
			}
		})
		s.Register()
		_ = w.Run(life)
		die()
	}
}

// must does something until it is done: the database goes and comes.
func (c *chaos) must(do func() error) {
	c.Helper()
	var err error
	for range 200 {
		if err = do(); err == nil {
			return
		}
	}
	require.NoError(c, err)
}

// rage lets incidents come, change and end while everything goes wrong.
func (c *chaos) rage(incidents int) {
	c.Helper()
	c.dying.Store(true)
	for _, i := range c.instances {
		i.callbacks(simulator.CallbackFaults{Lost: 0.2, Twice: 0.2, Forged: 0.1, Shuffled: true})
	}
	slow := fastPace.Call + 200*time.Millisecond
	weather := [][]simulator.Fault{
		{{Method: "POST", Rate: 0.05, AfterCommit: true, Drop: true}, {Method: "PATCH", Rate: 0.05, AfterCommit: true, Drop: true}},
		{{Method: "POST", Rate: 0.05, AfterCommit: true, Pass: true, Delay: slow}, {Method: "PATCH", Rate: 0.05, AfterCommit: true, Pass: true, Delay: slow}},
		{{Rate: 0.3, Status: http.StatusTooManyRequests, HTML: true}},
		{{Rate: 0.1, Status: http.StatusInternalServerError}, {Rate: 0.1, Status: http.StatusBadGateway, HTML: true}},
		{{Method: "POST", Rate: 0.05, AfterCommit: true, Status: http.StatusGatewayTimeout, HTML: true}, {Rate: 0.05, Drop: true}},
	}
	entered := make([]map[string]string, len(c.instances))
	for n := range incidents {
		if n%10 == 0 {
			for shift, i := range c.instances { // no two have the same
				i.SetFaults(weather[(n/10+shift)%len(weather)]...)
			}
		}
		if n%30 == 15 && c.db.Dialect() == database.Postgres {
			c.must(func() error { return c.terminate() })
		}
		switch n {
		case incidents / 2:
			for k, i := range c.instances {
				entered[k] = i.expire()
			}
		case incidents/2 + 10:
			for k, i := range c.instances {
				c.must(func() error {
					_, err := c.service.UpdateConnection(c.ctx, i.connection.ID, ticketing.Update{Fields: entered[k]})
					return err
				})
			}
		}
		c.happen(fmt.Sprintf("a%d", n), "first")
		if n%10 == 9 {
			c.keepUp()
		}
		if earlier := n - 1 - c.dice.IntN(10); earlier >= 0 {
			c.change(fmt.Sprintf("a%d", earlier))
		}
	}
}

// keepUp lets the weather be felt: most of what is wanted is tried in it.
func (c *chaos) keepUp() {
	signal, end := c.feed.Subscribe()
	defer end()
	enough := time.NewTimer(time.Second)
	defer enough.Stop()
	for {
		busy, err := c.db.Client().Ticket.Query().Where(ticket.StateIn(ticket.StatePending, ticket.StateRetrying)).Count(c.ctx)
		if err == nil && busy < 5*len(c.instances) {
			return
		}
		select {
		case <-signal:
		case <-enough.C:
			return
		}
	}
}

// happen has something be found in an account, whatever the database does.
func (c *chaos) happen(account, key string) {
	c.Helper()
	if c.accounts[account] == "" {
		c.must(func() error { return c.account(account) })
	}
	c.findings[account] = append(c.findings[account], c.finding(account, key))
	c.must(func() error { return c.tryReview(account) })
}

func (c *chaos) change(account string) {
	c.Helper()
	set := func(s entincident.Status) {
		c.must(func() error {
			i, err := c.db.Client().Incident.Query().Where(entincident.AccountID(c.accounts[account])).Order(entincident.ByNumber()).First(c.ctx)
			if err != nil {
				return err
			}
			_, err = c.incidents.SetStatus(c.ctx, i.ID, s, "in the chaos")
			return err
		})
	}
	switch c.dice.IntN(5) {
	case 0, 1:
		c.happen(account, fmt.Sprintf("next-%d", len(c.findings[account])))
	case 2:
		set(entincident.StatusContained)
	case 3:
		set(entincident.StatusRemediated)
	case 4:
		set(entincident.StatusRemediated)
		set(entincident.StatusOpen)
	}
}

// terminate ends every connection to PostgreSQL, as its end does.
func (c *chaos) terminate() error {
	err := c.db.InTx(every(), func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.SQL.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		return err
	})
	c.kills.Add(1)
	return err
}

// calm ends the faults and waits until nothing is left to do.
func (c *chaos) calm() {
	c.Helper()
	for _, i := range c.instances {
		i.SetFaults()
	}
	c.dying.Store(false)
	signal, end := c.feed.Subscribe()
	defer end()
	limit := time.NewTimer(10*time.Minute + 30*time.Second)
	defer limit.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		busy, err := c.db.Client().Ticket.Query().Where(ticket.Or(ticket.NextAttemptAtNotNil(), ticket.StateNotIn(ticket.StateSynced, ticket.StateCancelled))).Count(c.ctx)
		without := 0
		for _, i := range c.instances {
			n, err2 := c.db.Client().Incident.Query().Where(
				entincident.IsLive(true), entincident.Not(entincident.HasTicketsWith(ticket.ConnectionID(i.connection.ID))),
			).Count(c.ctx)
			without, err = without+n, errors.Join(err, err2)
		}
		if err == nil && busy == 0 && without == 0 {
			return
		}
		select {
		case <-signal:
			<-tick.C
		case <-tick.C:
		case <-limit.C:
			first, err := c.db.Client().Ticket.Query().Where(ticket.StateNEQ(ticket.StateSynced)).First(c.ctx)
			require.FailNow(c, "it does not come to rest", "%d tickets wait, e.g. %v (%v)", busy, first, err)
		}
	}
}

// report compares everything, and says how it went in one line.
func (c *chaos) report(incidents int) {
	c.Helper()
	all, err := c.db.Client().Incident.Query().WithTickets().WithEvents().All(c.ctx)
	require.NoError(c, err)
	require.GreaterOrEqual(c, len(all), incidents, "evidence after an end is another incident")
	tickets, lost, duplicate, mismatched := 0, 0, 0, 0
	for _, in := range c.instances {
		there := map[string][]simulator.Ticket{}
		for _, x := range in.Tickets() {
			there[x.Reference] = append(there[x.Reference], x)
			tickets++
		}
		for _, i := range all {
			k := slices.IndexFunc(i.Edges.Tickets, func(t *ent.Ticket) bool { return t.ConnectionID == in.connection.ID })
			if k < 0 || len(there[i.Edges.Tickets[k].ID]) == 0 {
				lost++
				continue
			}
			t := i.Edges.Tickets[k]
			found := there[t.ID]
			duplicate += len(found) - 1
			want, over := wantedNotes(i, t, in.described), i.Status == entincident.StatusRemediated
			if !slices.Equal(want, notes(found[0])) || over != found[0].Closed || t.SyncedRevision != i.Revision {
				mismatched++
				c.Logf("%s, %s: %s, closed %t, notes %v, want %v, synced %d of %d", in.vendor.Name, i.Title, i.Status, found[0].Closed,
					notes(found[0]), want, t.SyncedRevision, i.Revision)
			}
		}
	}
	c.Logf("chaos: %d incidents, %d tickets, %d lost, %d duplicate, %d mismatched (%d kills)", len(all), tickets, lost, duplicate, mismatched, c.kills.Load())
	require.Equal(c, [3]int{}, [3]int{lost, duplicate, mismatched})
	require.Greater(c, c.kills.Load(), int64(10))
}

// wantedNotes are the sequences of what a ticket is to hold as notes, in order.
func wantedNotes(i *ent.Incident, t *ent.Ticket, d psa.Description) []string {
	var out []string
	if d.PublicDescription { // what it left out
		out = append(out, "0")
	}
	slices.SortFunc(i.Edges.Events, func(a, b *ent.IncidentEvent) int { return a.Sequence - b.Sequence })
	for _, e := range i.Edges.Events {
		if e.Sequence > t.OpenedRevision && e.Kind != "OPENED" && e.Kind != "NOTED" && e.Kind != "ASKED" {
			out = append(out, strconv.Itoa(e.Sequence))
		}
	}
	return out
}
