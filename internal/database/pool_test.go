package database_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// Ensure a transaction can read beside itself, as the intake does, when every
// connection of the writing pool is taken by transactions that want to.
func TestReadBesideTransaction(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, cfg database.Config) {
		t.Helper()
		db, err := database.Open(context.Background(), cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		ctx, o := databasetest.Organization(t, db, "MSP")
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // a deadlock would last for ever
		defer cancel()
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, _ *database.Tx) error {
			var id string
			require.NoError(t, db.Reader().QueryRowContext(ctx, "SELECT id FROM organizations").Scan(&id))
			require.Equal(t, o.ID, id)
			return nil
		}))
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		run(t, database.Config{DataDir: t.TempDir()})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		address, err := url.Parse(pgtest.URL(t))
		require.NoError(t, err)
		query := address.Query()
		query.Set("pool_max_conns", "1")
		address.RawQuery = query.Encode()
		run(t, database.Config{URL: address.String()})
	})
}
