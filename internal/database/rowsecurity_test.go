package database_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// Ensure PostgreSQL itself keeps organizations apart, for a role that neither
// owns the tables nor is a superuser: a statement that forgot its scope finds
// nothing, and can write nothing of another organization.
func TestRowSecurity(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	owner, err := database.Open(t.Context(), database.Config{URL: url})
	require.NoError(t, err)
	defer func() { require.NoError(t, owner.Close()) }()
	one, organization := databasetest.Organization(t, owner, "One")
	two, other := databasetest.Organization(t, owner, "Two")
	mine, theirs := databasetest.Tenant(one, t, owner, "contoso"), databasetest.Tenant(two, t, owner, "fabrikam")

	stranger := pgtest.Stranger(t, url)
	db, err := database.Open(t.Context(), database.Config{URL: stranger})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	count := func(ctx context.Context, table string) (n int) {
		t.Helper()
		require.NoError(t, db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n))
		return n
	}
	require.Zero(t, count(context.Background(), "tenants"), "no scope, no rows")
	require.Zero(t, count(context.Background(), "organizations"))
	require.Equal(t, 1, count(access.System(context.Background(), "test", organization.ID), "tenants"), "and no WHERE at all")
	require.Equal(t, 1, count(access.System(context.Background(), "test", organization.ID), "organizations"))
	require.Equal(t, 2, count(access.SystemAcrossOrganizations(context.Background(), "test"), "tenants"))

	// Writing by hand, with another organization's id.
	err = db.InTx(access.System(context.Background(), "test", organization.ID), func(ctx context.Context, tx *database.Tx) error {
		result, err := tx.SQL.ExecContext(ctx, "UPDATE tenants SET name = 'taken' WHERE id = $1", theirs.ID)
		require.NoError(t, err)
		n, err := result.RowsAffected()
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = tx.SQL.ExecContext(ctx, "INSERT INTO assignments (id, organization_id, tenant_id, holder_id) VALUES ('x', $1, $2, 'y')", other.ID, theirs.ID)
		return err
	})
	require.ErrorContains(t, err, "row-level security")

	// COPY, which PostgreSQL refuses into such tables, goes by way of another.
	require.NoError(t, db.InTx(access.System(context.Background(), "test", organization.ID), func(ctx context.Context, tx *database.Tx) error {
		for _, kind := range []string{"a", "b"} {
			err := tx.CopyFrom(ctx, "books", []string{"organization_id", "tenant_id", "kind", "subject", "period", "data"},
				pgx.CopyFromRows([][]any{{organization.ID, mine.ID, kind, "s", 1, []byte("x")}}))
			if err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, 2, count(access.System(context.Background(), "test", organization.ID), "books"))
	require.Zero(t, count(access.System(context.Background(), "test", other.ID), "books"))

	// Every table that has an organization is behind the wall.
	plain, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer func() { require.NoError(t, plain.Close()) }()
	rows, err := plain.QueryContext(t.Context(), `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND a.attname = 'organization_id' AND NOT c.relrowsecurity`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var table string
		require.NoError(t, rows.Scan(&table))
		require.Fail(t, "no row security", table)
	}
	require.NoError(t, rows.Err())
}

// Ensure a row for a tenant that the scope does not reach is not written,
// whoever writes it: another organization's, or one that is not assigned.
func TestCreateChecksTheTenant(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		one, organization := databasetest.Organization(t, db, "One")
		two, _ := databasetest.Organization(t, db, "Two")
		mine, theirs := databasetest.Tenant(one, t, db, "contoso"), databasetest.Tenant(two, t, db, "fabrikam")
		guest := access.With(context.Background(), access.Scope{OrganizationID: organization.ID, Principal: access.Principal{
			Kind: access.PrincipalMember, ID: "member_g", Role: access.RoleExternalGuest,
		}})
		create := func(ctx context.Context, tenantID string, upsert bool) error {
			return db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				c := tx.Client.Account.Create().SetOrganizationID(organization.ID).SetTenantID(tenantID).SetPrincipal("p").SetCreatedAt(now)
				if upsert {
					return c.OnConflictColumns("tenant_id", "principal").UpdateNewValues().Exec(ctx)
				}
				return c.Exec(ctx)
			})
		}
		for _, upsert := range []bool{false, true} {
			require.ErrorIs(t, create(one, theirs.ID, upsert), database.ErrTenantOutOfScope)
			require.ErrorIs(t, create(guest, mine.ID, upsert), database.ErrTenantOutOfScope)
			require.ErrorIs(t, create(one, "tenant_missing", upsert), database.ErrTenantOutOfScope)
		}
		require.NoError(t, create(one, mine.ID, true))
	})
}

// Ensure the audit log is only ever added to.
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		one, organization := databasetest.Organization(t, db, "One")
		err := db.InTx(one, func(ctx context.Context, tx *database.Tx) error {
			require.NoError(t, tx.Client.AuditEntry.Create().SetOrganizationID(organization.ID).SetAt(now).SetPrincipalKind("SYSTEM").SetPrincipalID("x").
				SetPrincipalName("x").SetAction("x").SetObjectID("").SetAddress("").SetResult("OK").SetDetail("").Exec(ctx))
			_, err := tx.Client.AuditEntry.Delete().Exec(ctx)
			return err
		})
		require.ErrorContains(t, err, "never changed or removed")
	})
}
