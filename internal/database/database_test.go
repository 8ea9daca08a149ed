package database_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// Ensure the migrations make exactly what the ent schema wants.
func TestMigrationsInStepWithSchema(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		drift, err := database.Drift(context.Background(), db)
		require.NoError(t, err)
		require.Empty(t, drift, "run `make migration name=...`")
	})
}

// Ensure a context without a scope reaches nothing, and one with a scope only
// its own organization, whatever it asks for.
func TestScope(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctxA, _ := databasetest.Organization(t, db, "A")
		ctxB, b := databasetest.Organization(t, db, "B")
		mine := databasetest.Tenant(ctxA, t, db, "mine")
		theirs := databasetest.Tenant(ctxB, t, db, "theirs")

		_, err := db.Client().Tenant.Query().All(context.Background())
		require.ErrorIs(t, err, access.ErrNoScope)
		err = db.InTx(context.Background(), func(ctx context.Context, tx *database.Tx) error {
			return tx.Client.Tenant.Update().SetSensitive(true).Exec(ctx)
		})
		require.ErrorIs(t, err, access.ErrNoScope)

		all, err := db.Client().Tenant.Query().All(ctxA)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, mine.ID, all[0].ID)
		n, err := db.Client().Tenant.Query().Count(ctxA)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		found, err := db.Client().Tenant.Query().Where(tenant.ID(theirs.ID)).Exist(ctxA)
		require.NoError(t, err)
		require.False(t, found)
		organizations, err := db.Client().Organization.Query().All(ctxA)
		require.NoError(t, err)
		require.Len(t, organizations, 1)

		require.NoError(t, db.InTx(ctxA, func(ctx context.Context, tx *database.Tx) error {
			n, err := tx.Client.Tenant.Update().SetSensitive(true).Save(ctx)
			require.Equal(t, 1, n, "an update reaches its own organization only")
			return err
		}))
		require.Error(t, db.InTx(ctxA, func(ctx context.Context, tx *database.Tx) error {
			return tx.Client.Tenant.UpdateOneID(theirs.ID).SetSensitive(true).Exec(ctx)
		}))
		require.Error(t, db.InTx(ctxA, func(ctx context.Context, tx *database.Tx) error {
			return tx.Client.Tenant.Create().SetOrganizationID(b.ID).SetName("x").SetNameKey("x").SetCreatedAt(time.Unix(0, 0)).Exec(ctx)
		}), "nothing is created in another organization")
		require.NoError(t, db.InTx(ctxA, func(ctx context.Context, tx *database.Tx) error {
			n, err := tx.Client.Tenant.Delete().Exec(ctx)
			require.Equal(t, 1, n)
			return err
		}))
		left, err := db.Client().Tenant.Query().Count(ctxB)
		require.NoError(t, err)
		require.Equal(t, 1, left)
	})
}

// Ensure ent, SQL and COPY stand or fall together.
func TestTransactionHoldsEverything(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, o := databasetest.Organization(t, db, "A")
		boom := errors.New("boom")
		write := func(fail error) error {
			return db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				tn, err := tx.Client.Tenant.Create().SetOrganizationID(o.ID).SetName("t").SetNameKey("t").
					SetCreatedAt(time.Unix(0, 0)).Save(ctx)
				require.NoError(t, err)
				_, err = tx.Client.Tenant.UpdateOne(tn).SetSensitive(true).Save(ctx)
				require.NoError(t, err)
				if db.Dialect() == database.Postgres {
					require.NoError(t, tx.CopyFrom(ctx, "intake_positions", []string{"tenant_id", "organization_id", "position"},
						pgx.CopyFromRows([][]any{{tn.ID, o.ID, int64(1)}})))
				} else {
					_, err := tx.SQL.ExecContext(ctx, "INSERT INTO intake_positions VALUES (?, ?, 1)", tn.ID, o.ID)
					require.NoError(t, err)
				}
				return fail
			})
		}
		count := func() (tenants, positions int) {
			tenants, err := db.Client().Tenant.Query().Count(ctx)
			require.NoError(t, err)
			require.NoError(t, db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM intake_positions").Scan(&positions))
			return tenants, positions
		}
		require.ErrorIs(t, write(boom), boom)
		tenants, positions := count()
		require.Equal(t, [2]int{0, 0}, [2]int{tenants, positions})
		require.Panics(t, func() {
			_ = db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				tx.Client.Tenant.Create().SetOrganizationID(o.ID).SetName("t").SetNameKey("t").SetCreatedAt(time.Unix(0, 0)).ExecX(ctx)
				panic("killed between two lines")
			})
		})
		require.NoError(t, write(nil))
		tenants, positions = count()
		require.Equal(t, [2]int{1, 1}, [2]int{tenants, positions})
	})
}

// Ensure the reading client does not write.
func TestReadingClientRefusesToWrite(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, o := databasetest.Organization(t, db, "A")
		require.Error(t, db.Client().Tenant.Create().SetOrganizationID(o.ID).SetName("t").SetNameKey("t").SetCreatedAt(time.Unix(0, 0)).Exec(ctx))
	})
}

// Ensure times come back exact and in order.
func TestTimesAreExact(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		want := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
		ctx, o := databasetest.Organization(t, db, "A")
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			return tx.Client.Tenant.Create().SetOrganizationID(o.ID).SetName("t").SetNameKey("t").SetCreatedAt(want).Exec(ctx)
		}))
		got, err := db.Client().Tenant.Query().Where(tenant.CreatedAtGTE(want), tenant.CreatedAtLT(want.Add(time.Microsecond))).Only(ctx)
		require.NoError(t, err)
		require.True(t, want.Equal(got.CreatedAt), got.CreatedAt)
	})
}

// Ensure a data folder is held by one process at a time, and the refusal says what to do.
func TestFolderLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, err := database.Open(context.Background(), database.Config{DataDir: dir})
	require.NoError(t, err)
	_, err = database.Open(context.Background(), database.Config{DataDir: dir})
	require.ErrorIs(t, err, database.ErrFolderInUse)
	require.ErrorContains(t, err, "stop that one first")
	require.NoError(t, first.Close())
	again, err := database.Open(context.Background(), database.Config{DataDir: dir})
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

// Ensure PostgreSQL sessions know the organization they work for, which is
// what row-level security will read.
func TestSessionVariable(t *testing.T) {
	t.Parallel()
	db := databasetest.Postgres(t)
	ask := func(ctx context.Context) (v string) {
		require.NoError(t, db.Reader().QueryRowContext(ctx, "SELECT current_setting('cairn.organization')").Scan(&v))
		return v
	}
	ctxA, a := databasetest.Organization(t, db, "A")
	ctxB, b := databasetest.Organization(t, db, "B")
	require.Equal(t, a.ID, ask(ctxA))
	require.Equal(t, b.ID, ask(ctxB))
	require.Empty(t, ask(context.Background()))
	require.Equal(t, a.ID, ask(ctxA))
}
