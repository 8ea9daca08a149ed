package change_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func feed(db *database.DB) *change.Feed { return change.New(db, func() time.Time { return t0 }) }

func note(ctx context.Context, t *testing.T, db *database.DB, f *change.Feed, changes ...change.Change) {
	t.Helper()
	require.NoError(t, db.InTx(ctx, func(_ context.Context, tx *database.Tx) error {
		f.Note(tx, changes...)
		return nil
	}))
}

func ids(ctx context.Context, t *testing.T, f *change.Feed, cursor int64) (out []string, next int64) {
	t.Helper()
	changes, next, err := f.After(ctx, cursor, 1000)
	require.NoError(t, err)
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s@%d", c.ObjectID, c.Revision))
	}
	return out, next
}

// Ensure changes are written with what they tell of or not at all, once for an
// object, and read within the scope only.
func TestNotedWithTheTransaction(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, a := databasetest.Organization(t, db, "A")
		other, b := databasetest.Organization(t, db, "B")
		f := feed(db)
		signal, end := f.Subscribe(string(change.Incident))
		defer end()
		tickets, endTickets := f.Subscribe(string(change.Ticket))
		defer endTickets()
		boom := errors.New("boom")
		require.ErrorIs(t, db.InTx(ctx, func(_ context.Context, tx *database.Tx) error {
			f.Note(tx, change.Change{OrganizationID: a.ID, What: change.Incident, ObjectID: "lost"})
			return boom
		}), boom)
		require.Empty(t, signal)
		note(ctx, t, db, f,
			change.Change{OrganizationID: a.ID, TenantID: "t", What: change.Incident, ObjectID: "one", Revision: 1},
			change.Change{OrganizationID: a.ID, TenantID: "t", What: change.Incident, ObjectID: "two", Revision: 1},
			change.Change{OrganizationID: a.ID, TenantID: "t", What: change.Incident, ObjectID: "one", Revision: 2})
		require.Len(t, signal, 1)
		require.Empty(t, tickets)
		note(other, t, db, f, change.Change{OrganizationID: b.ID, What: change.Incident, ObjectID: "theirs"})
		got, next := ids(ctx, t, f, 0)
		require.Equal(t, []string{"one@2", "two@1"}, got)
		got, _ = ids(ctx, t, f, next)
		require.Empty(t, got)
		got, _ = ids(access.SystemAcrossOrganizations(ctx, "test"), t, f, 0)
		require.Equal(t, []string{"one@2", "two@1", "theirs@0"}, got)
		_, _, err := f.After(context.Background(), 0, 1)
		require.ErrorIs(t, err, access.ErrNoScope)
	})
}

// Ensure a reader that follows its cursor misses nothing, though transactions
// begin, note and commit in any order.
func TestNoGaps(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, o := databasetest.Organization(t, db, "A")
		f := feed(db)
		const writers, each = 8, 25
		done := make(chan struct{})
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for n := range each {
					err := db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
						f.Note(tx, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: fmt.Sprintf("%d-%d", w, n)})
						_, err := tx.Client.Organization.Query().All(ctx) // something between noting and committing
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { writing.Wait(); close(done) }()
		seen := map[string]int{}
		var cursor int64
		for last := false; ; {
			changes, next, err := f.After(ctx, cursor, 7)
			require.NoError(t, err)
			for _, c := range changes {
				seen[c.ObjectID]++
			}
			cursor = next
			if len(changes) == 0 {
				if last {
					break
				}
				select {
				case <-done:
					last = true
				default:
				}
			}
		}
		require.Len(t, seen, writers*each)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

// Ensure a transaction that takes long keeps neither readers nor other writers waiting.
func TestLongTransactionHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	db := databasetest.Postgres(t)
	ctx, o := databasetest.Organization(t, db, "A")
	f := feed(db)
	beside := func() { // in a transaction of its own
		note(ctx, t, db, f, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: "short"})
		got, _ := ids(ctx, t, f, 0)
		require.Equal(t, []string{"short@0"}, got)
	}
	require.NoError(t, db.InTx(ctx, func(_ context.Context, tx *database.Tx) error {
		f.Note(tx, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: "long"})
		beside()
		return nil
	}))
	got, _ := ids(ctx, t, f, 0)
	require.Equal(t, []string{"short@0", "long@0"}, got)
}

// Ensure a reader whose changes were dropped is told so, and one that had read
// them goes on.
func TestPruned(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, o := databasetest.Organization(t, db, "A")
		every := access.SystemAcrossOrganizations(context.Background(), "test")
		now := t0
		f := change.New(db, func() time.Time { return now })
		require.NoError(t, f.Prune(every, now))
		note(ctx, t, db, f, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: "old"})
		note(ctx, t, db, f, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: "older"})
		read, err := f.Latest(ctx)
		require.NoError(t, err)
		now = now.Add(time.Hour)
		note(ctx, t, db, f, change.Change{OrganizationID: o.ID, What: change.Incident, ObjectID: "new"})
		for range 2 {
			require.NoError(t, f.Prune(every, now))
			_, _, err = f.After(ctx, 0, 10)
			require.ErrorIs(t, err, change.ErrPruned)
			got, next := ids(ctx, t, f, read)
			require.Equal(t, []string{"new@0"}, got)
			latest, err := f.Latest(ctx)
			require.NoError(t, err)
			require.Equal(t, next, latest)
		}
	})
}

// Ensure another process on the same database hears of changes.
func TestHeardByAnotherProcess(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open := func() *database.DB {
		db, err := database.Open(context.Background(), database.Config{URL: url})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	here, there := open(), open()
	ctx, o := databasetest.Organization(t, here, "A")
	f := feed(there)
	signal, end := f.Subscribe(string(change.Ticket))
	defer end()
	listening, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Listen(listening, slog.New(slog.DiscardHandler)) }()
	<-signal // it listens, and whoever listens anew looks
	note(ctx, t, here, feed(here), change.Change{OrganizationID: o.ID, What: change.Ticket, ObjectID: "x"})
	<-signal
	got, _ := ids(ctx, t, f, 0)
	require.Equal(t, []string{"x@0"}, got)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}
