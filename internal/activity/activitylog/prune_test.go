package activitylog_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// cite has a finding cite the activities, within tx.
func (f fixture) cite(ctx context.Context, tx *database.Tx, key string, ids ...string) error {
	return tx.Client.Finding.Create().SetOrganizationID(f.org).SetTenantID(f.tenant).SetNaturalKey(key).SetBook("b").SetRule("r").
		SetIsLive(false).SetSeverity("HIGH").SetConfidence("HIGH").SetStage("HOLD").SetTargets([]string{}).SetOccurredAt(t0).SetLastAt(t0).
		SetEvidence(ids).SetExplanation("x").SetLinks([]string{}).SetDetectedAt(t0).Exec(ctx)
}

func (f fixture) stored(ids ...string) map[string]*activitylog.Entry {
	f.Helper()
	got, err := f.log.Get(f.ctx, ids)
	require.NoError(f, err)
	return got
}

// aged are n records from an hour before t0 on, some at the same moment.
func (f fixture) aged(n int) (batch []*activity.Activity, ids []string) {
	for i := range n {
		a := f.record(fmt.Sprint("aged", i), func(a *activity.Activity) { a.OccurredAt = t0.Add(-time.Hour + time.Duration(i/3)*time.Millisecond) })
		batch, ids = append(batch, a), append(ids, a.ID)
	}
	return batch, ids
}

// Ensure age drops records, in bites, but never what a finding cites, what was
// stored a moment ago, or what is another organization's.
func TestPruneKeepsEvidence(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		batch, ids := f.aged(20)
		young := f.record("young", func(a *activity.Activity) { a.OccurredAt = t0.Add(time.Hour) })
		f.append(append(batch, young)...)
		require.NoError(f, f.db.InTx(f.ctx, func(ctx context.Context, tx *database.Tx) error {
			return f.cite(ctx, tx, "k", ids[0], ids[7], young.ID)
		}))
		n, err := f.log.Prune(f.ctx, t0, 3)
		require.NoError(f, err)
		require.Zero(f, n, "what was stored a moment ago stays, however old it is")
		other, _ := databasetest.Organization(f.T, f.db, "other")
		n, err = f.log.Prune(other, t0.Add(time.Minute), 3)
		require.NoError(f, err)
		require.Zero(f, n)
		n, err = f.log.Prune(access.SystemAcrossOrganizations(context.Background(), "retention"), t0.Add(time.Minute), 3)
		require.NoError(f, err)
		require.Equal(f, 18, n)
		left := f.stored(append(ids, young.ID)...)
		require.Len(f, left, 3)
		for _, id := range []string{ids[0], ids[7], young.ID} {
			require.Contains(f, left, id)
		}
		n, err = f.log.Prune(f.ctx, t0.Add(time.Minute), 3)
		require.NoError(f, err)
		require.Zero(f, n)
		_, err = f.log.Prune(context.Background(), t0, 3)
		require.ErrorIs(f, err, access.ErrNoScope)
	})
}

// Ensure a dropped record that comes again is stored again, and is no news.
func TestDroppedRecordIsKnown(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		batch, ids := f.aged(5)
		require.Len(f, f.append(batch...).New, 5)
		for range 2 { // and again, once it is old again
			n, err := f.log.Prune(f.ctx, t0.Add(time.Minute), 100)
			require.NoError(f, err)
			require.Equal(f, 5, n)
			require.Empty(f, f.stored(ids...))

			out := f.append(batch...)
			require.Empty(f, out.New)
			require.Empty(f, out.Changed)
			require.Equal(f, 5, out.Known)
			require.Len(f, f.stored(ids...), 5)
			require.Equal(f, 5, f.append(batch...).Known)
		}
	})
}

// Ensure a record is not dropped while a batch is taken in that comes to cite it.
func TestPruneWaitsForIntake(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		batch, ids := f.aged(5)
		f.append(batch...)
		position := func(ctx context.Context, tx *database.Tx) error { // as intake does
			_, err := tx.SQL.ExecContext(ctx, "INSERT INTO intake_positions (tenant_id, organization_id, position) VALUES ($1, $2, 1) "+
				"ON CONFLICT (tenant_id) DO UPDATE SET position = intake_positions.position + 1", f.tenant, f.org)
			return err
		}
		require.NoError(f, f.db.InTx(f.ctx, position))
		pruned := make(chan error, 1)
		require.NoError(f, f.db.InTx(f.ctx, func(ctx context.Context, tx *database.Tx) error {
			if err := position(ctx, tx); err != nil {
				return err
			}
			go func() {
				_, err := f.log.Prune(f.ctx, t0.Add(time.Minute), 100)
				pruned <- err
			}()
			if f.db.Dialect() == database.Postgres { // until it waits; on SQLite it waits for the one connection
				for waiting := 0; waiting == 0; {
					row := f.db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity "+
						"WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%intake_positions%'")
					if err := row.Scan(&waiting); err != nil {
						return err
					}
					select {
					case err := <-pruned:
						return fmt.Errorf("pruning did not wait: %w", err)
					default:
					}
				}
			}
			return f.cite(ctx, tx, "k", ids[2])
		}))
		require.NoError(f, <-pruned)
		require.Contains(f, f.stored(ids...), ids[2])
		require.Len(f, f.stored(ids...), 1)
	})
}

// BenchmarkPrune drops from a tenant of 200,000 aged records whose 5,000
// findings cite 50 each, some of them.
func BenchmarkPrune(b *testing.B) {
	const records, findings, evidence = 200_000, 5_000, 50
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": databasetest.SQLite, "PostgreSQL": databasetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			if name == "PostgreSQL" && os.Getenv("CAIRN_TEST_SKIP_POSTGRES") != "" {
				b.Skip("SKIPPED: PostgreSQL was not asked for")
			}
			dropped := 0
			for b.Loop() {
				b.StopTimer()
				db := open(b)
				ctx, o := databasetest.Organization(b, db, "MSP")
				tn := databasetest.Tenant(ctx, b, db, "contoso")
				f := fixture{ctx: ctx, db: db, log: activitylog.New(db, reread), org: o.ID, tenant: tn.ID}
				batch, ids := f.aged(records)
				require.NoError(b, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
					for i := range records / 4000 {
						if _, err := f.log.Append(ctx, tx, batch[i*4000:(i+1)*4000], t0); err != nil {
							return err
						}
					}
					for i := range findings {
						if err := f.cite(ctx, tx, strconv.Itoa(i), ids[i*10%(records-evidence):][:evidence]...); err != nil {
							return err
						}
					}
					return nil
				}))
				b.StartTimer()
				n, err := f.log.Prune(ctx, t0.Add(time.Minute), 2000)
				require.NoError(b, err)
				dropped += n
			}
			require.NotZero(b, dropped)
			b.ReportMetric(float64(dropped)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
