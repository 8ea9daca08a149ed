package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/auditentry"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// Ensure an entry says who, what, on which tenant, from where, with which
// result, and belongs to the organization it happened in.
func TestWrite(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		_, o := databasetest.Organization(t, db, "One")
		other, _ := databasetest.Organization(t, db, "Two")
		ctx := access.With(audit.WithAddress(context.Background(), "198.51.100.9"), access.Scope{
			OrganizationID: o.ID, Principal: access.Principal{Kind: access.PrincipalAPIKey, ID: "apikey_1", Name: "wall display", Role: access.RoleAdmin},
		})
		tenant := databasetest.Tenant(ctx, t, db, "contoso")
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			return errors.Join(
				audit.Write(ctx, tx, now, audit.Entry{Action: "updateIncident", TenantID: tenant.ID, ObjectID: "incident_1", Result: "OK", Detail: "status: CONTAINED"}),
				audit.Write(ctx, tx, now.Add(time.Second), audit.Entry{Action: "createApiKey", ObjectID: "apikey_2", Result: "FORBIDDEN"}),
			)
		}))
		entries, err := db.Client().AuditEntry.Query().Order(auditentry.ByAt()).All(ctx)
		require.NoError(t, err)
		require.Len(t, entries, 2)
		e := entries[0]
		require.Equal(t, o.ID, e.OrganizationID)
		require.Equal(t, now, e.At.UTC())
		require.Equal(t, []string{"API_KEY", "apikey_1", "wall display"}, []string{string(e.PrincipalKind), e.PrincipalID, e.PrincipalName})
		require.Equal(t, tenant.ID, *e.TenantID)
		require.Equal(t, []string{"updateIncident", "incident_1", "198.51.100.9", "OK", "status: CONTAINED"},
			[]string{e.Action, e.ObjectID, e.Address, e.Result, e.Detail})
		require.Nil(t, entries[1].TenantID)
		require.Equal(t, "FORBIDDEN", entries[1].Result)
		count, err := db.Client().AuditEntry.Query().Count(other)
		require.NoError(t, err)
		require.Zero(t, count)
	})
}

// Ensure an entry goes with the transaction it speaks of, and that nobody acts
// unnamed.
func TestEntryGoesWithItsTransaction(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, _ := databasetest.Organization(t, db, "One")
		changedMind := errors.New("changed its mind")
		err := db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			require.NoError(t, audit.Write(ctx, tx, now, audit.Entry{Action: "importActivity", Result: "OK"}))
			return changedMind
		})
		require.ErrorIs(t, err, changedMind)
		err = db.InTx(context.Background(), func(ctx context.Context, tx *database.Tx) error {
			return audit.Write(ctx, tx, now, audit.Entry{Action: "importActivity", Result: "OK"})
		})
		require.ErrorIs(t, err, access.ErrNoScope)
		count, err := db.Client().AuditEntry.Query().Count(ctx)
		require.NoError(t, err)
		require.Zero(t, count)
	})
}
