package intake_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/intake"
)

// saboteur makes batches fail in the midst, in one of several ways.
type saboteur struct {
	place

	in      *intake.Intake
	attempt func(batch []*activity.Activity) error // a try that may fail, and must where it matters
}

// trouble is every way a batch may fail after its books were changed in memory.
var trouble = map[string]func(s *saboteur){
	"the database refuses a book":     refusing("books"),
	"the database refuses a finding":  refusing("findings"),
	"the database refuses an event":   refusing("incident_events"),
	"the commit fails":                failingCommit,
	"the context is cancelled midway": cancelled,
	"a panic midway":                  panicking,
}

// refusing has inserts into a table raise an error.
func refusing(table string) func(s *saboteur) {
	return func(s *saboteur) {
		s.in = s.process(clock)
		s.attempt = func(batch []*activity.Activity) error {
			arm := []string{"CREATE TRIGGER sabotage BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'sabotage'); END"}
			disarm := "DROP TRIGGER sabotage"
			if s.db.Dialect() == database.Postgres {
				arm = []string{
					"CREATE OR REPLACE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sabotage'; END $$",
					"CREATE TRIGGER sabotage BEFORE INSERT ON " + table + " FOR EACH ROW EXECUTE FUNCTION sabotage()",
				}
				disarm = "DROP TRIGGER sabotage ON " + table
			}
			s.exec(arm...)
			_, err := s.in.Take(s.ctx, s.tenant, batch)
			s.exec(disarm)
			if err != nil {
				require.ErrorContains(s, err, "sabotage")
			}
			return err
		}
	}
}

// failingCommit has everything succeed but the last word: a row that nothing
// allows is noticed at the commit.
func failingCommit(s *saboteur) {
	s.in = s.process(clock)
	s.exec("CREATE TABLE allowed (id integer PRIMARY KEY)",
		"CREATE TABLE doomed (id integer REFERENCES allowed (id) DEFERRABLE INITIALLY DEFERRED)")
	s.attempt = func(batch []*activity.Activity) error {
		_, err := s.in.Take(s.ctx, s.tenant, batch, func(ctx context.Context, tx *database.Tx) error {
			_, err := tx.SQL.ExecContext(ctx, "INSERT INTO doomed (id) VALUES (1)")
			return err
		})
		require.ErrorContains(s, err, "commit")
		return err
	}
}

func cancelled(s *saboteur) {
	stop := func() {}
	s.in = s.process(func() time.Time {
		stop()
		return now
	})
	s.attempt = func(batch []*activity.Activity) error {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		stop = cancel
		_, err := s.in.Take(ctx, s.tenant, batch)
		if err != nil {
			require.ErrorIs(s, err, context.Canceled)
		}
		return err
	}
}

func panicking(s *saboteur) {
	armed := false
	s.in = s.process(func() time.Time {
		if armed {
			panic("sabotage")
		}
		return now
	})
	s.attempt = func(batch []*activity.Activity) (err error) {
		armed = true
		defer func() {
			armed = false
			if what := recover(); what != nil {
				require.Equal(s, "sabotage", what)
				err = errors.New("it panicked")
			}
		}()
		_, err = s.in.Take(s.ctx, s.tenant, batch)
		return err
	}
}

// exec changes the database behind Cairn's back.
func (s *saboteur) exec(statements ...string) {
	s.Helper()
	require.NoError(s, s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) error {
		for _, statement := range statements {
			if _, err := tx.SQL.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Ensure a batch that fails after the engine has changed books in memory leaves
// no trace: what follows comes out as if the batch had never been tried, and
// taken again later it is taken whole.
func TestFailedBatchLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, prepare := range trouble {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				s := &saboteur{place: newPlace(t, db)}
				prepare(s)
				failed := map[int]bool{}
				batches := s.batches(s.in)
				for n, batch := range batches {
					if even(n) {
						s.take(s.in, batch)
					} else if s.attempt(batch) != nil {
						failed[n] = true
					}
				}
				require.NotEmpty(t, failed)
				s.same(truth(t, func(n int) bool { return !failed[n] }))
				for n := range failed {
					s.take(s.in, batches[n])
				}
				// The order of the batches is another now, which what later
				// records disproved tells.
				ignore := cmpopts.IgnoreFields(databasetest.Snapshot{}, "Superseded")
				require.Empty(t, cmp.Diff(truth(t, every), databasetest.Take(t, db), ignore))
			})
		})
	}
}

// Ensure a batch refuses to be part of another transaction, which could roll it
// back after its books were believed.
func TestBatchNeedsItsOwnTransaction(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		p := newPlace(t, db)
		in := p.process(clock)
		err := db.InTx(p.ctx, func(ctx context.Context, _ *database.Tx) error {
			_, err := in.Take(ctx, p.tenant, p.batches(in)[0])
			return err
		})
		require.ErrorContains(t, err, "transaction of its own")
		require.Empty(t, databasetest.Take(t, db).Activities)
	})
}
