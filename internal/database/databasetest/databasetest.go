// Package databasetest runs a test of data behaviour on both databases. Only
// tests import it.
package databasetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// Each runs test once on SQLite and once on PostgreSQL, each time on a fresh,
// migrated database.
func Each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite opens a fresh SQLite database that goes when the test ends.
func SQLite(t testing.TB) *database.DB {
	t.Helper()
	return open(t, database.Config{DataDir: t.TempDir()})
}

// Postgres opens a fresh PostgreSQL database that goes when the test ends.
func Postgres(t testing.TB) *database.DB {
	t.Helper()
	return open(t, database.Config{URL: pgtest.URL(t)})
}

func open(t testing.TB, cfg database.Config) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// Organization makes an organization and returns a context scoped to it.
func Organization(t testing.TB, db *database.DB, name string) (context.Context, *ent.Organization) {
	t.Helper()
	var o *ent.Organization
	ctx := access.SystemAcrossOrganizations(context.Background(), "test")
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		o, err = tx.Client.Organization.Create().SetName(name).SetCreatedAt(time.Unix(0, 0).UTC()).Save(ctx)
		return err
	}))
	return access.System(context.Background(), "test", o.ID), o
}

// Tenant makes a tenant in the scope's organization.
func Tenant(ctx context.Context, t testing.TB, db *database.DB, name string) *ent.Tenant {
	t.Helper()
	s, err := access.From(ctx)
	require.NoError(t, err)
	var out *ent.Tenant
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = tx.Client.Tenant.Create().SetOrganizationID(s.OrganizationID).SetName(name).SetNameKey(name).
			SetCreatedAt(time.Unix(0, 0).UTC()).Save(ctx)
		return err
	}))
	return out
}
