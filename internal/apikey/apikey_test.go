package apikey_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entkey "github.com/cairn-itdr/cairn/ent/apikey"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// Ensure a key lets its holder into its own organization, and is not kept.
func TestKeyIsItsOrganizations(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		keys := apikey.New(db, clock)
		first, one := databasetest.Organization(t, db, "One")
		second, two := databasetest.Organization(t, db, "Two")
		_, a, err := keys.Create(first, apikey.Create{Name: "wall display", Role: access.RoleAdmin})
		require.NoError(t, err)
		_, b, err := keys.Create(second, apikey.Create{Role: access.RoleAdmin})
		require.NoError(t, err)
		require.NotEqual(t, a, b)
		require.Regexp(t, `^cairn_key_[0-9a-z]{52}$`, a)

		// The asker has no scope yet: that is what the key is for.
		scope, err := keys.Authenticate(context.Background(), a)
		require.NoError(t, err)
		require.Equal(t, one.ID, scope.OrganizationID)
		require.False(t, scope.EveryOrganization())
		require.Equal(t, access.PrincipalAPIKey, scope.Principal.Kind)
		require.Equal(t, "wall display", scope.Principal.Name)
		require.Equal(t, access.RoleAdmin, scope.Principal.Role)
		require.True(t, strings.HasPrefix(scope.Principal.ID, "apikey_"))
		scope, err = keys.Authenticate(context.Background(), b)
		require.NoError(t, err)
		require.Equal(t, two.ID, scope.OrganizationID)

		rows, err := db.Client().APIKey.Query().All(first)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Len(t, rows[0].Hash, 32)
		require.NotContains(t, string(rows[0].Hash), strings.TrimPrefix(a, apikey.Prefix))
		entry, err := db.Client().AuditEntry.Query().Only(first)
		require.NoError(t, err)
		require.Equal(t, "createApiKey", entry.Action)
		require.Equal(t, rows[0].ID, entry.ObjectID)
		require.NotContains(t, fmt.Sprint(entry), strings.TrimPrefix(a, apikey.Prefix), "the key is not in the audit log")
	})
}

// Ensure whatever is no key of ours gets one and the same answer.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		keys := apikey.New(db, clock)
		ctx, _ := databasetest.Organization(t, db, "One")
		_, key, err := keys.Create(ctx, apikey.Create{Name: "revoked later", Role: access.RoleAdmin})
		require.NoError(t, err)
		for _, wrong := range []string{
			"", apikey.Prefix, "secret", key[:len(key)-1], key + "0", strings.ToUpper(key), " " + key, strings.TrimPrefix(key, apikey.Prefix),
			apikey.Prefix + strings.Repeat("0", 52), apikey.Prefix + strings.Repeat("x", 1<<20), apikey.Prefix + "' OR 1=1 --", apikey.Prefix + "\x00",
		} {
			scope, err := keys.Authenticate(context.Background(), wrong)
			require.Equal(t, apikey.ErrUnknown, err)
			require.Equal(t, access.Scope{}, scope)
		}
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			return tx.Client.APIKey.Update().Where(entkey.RevokedAtIsNil()).SetRevokedAt(now).Exec(ctx)
		}))
		_, err = keys.Authenticate(context.Background(), key)
		require.Equal(t, apikey.ErrUnknown, err, "a revoked key")
	})
}

// Ensure no key is made without a scope or with a role not yet issued, and
// that a database that fails is not taken for a wrong key.
func TestKeysRefused(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		keys := apikey.New(db, clock)
		ctx, _ := databasetest.Organization(t, db, "One")
		past := now.Add(-time.Second)
		for _, wrong := range []apikey.Create{
			{Role: "OWNER"},
			{Role: access.RolePartialMember},
			{Role: access.RoleBilling, Flags: []access.Flag{access.FlagManageTenants}},
			{Role: access.RoleAdmin, ExpiresAt: &past},
		} {
			_, _, err := keys.Create(ctx, wrong)
			require.NotNil(t, refusal.From(err), wrong)
			require.Equal(t, refusal.Invalid, refusal.From(err).Code)
		}
		_, _, err := keys.Create(ctx, apikey.Create{Role: access.RoleExternalGuest, Tenants: []string{"nonsense"}})
		require.Equal(t, refusal.NotFound, refusal.From(err).Code)
		_, _, err = keys.Create(context.Background(), apikey.Create{Role: access.RoleAdmin})
		require.ErrorIs(t, err, access.ErrNoScope)
		count, err := db.Client().APIKey.Query().Count(ctx)
		require.NoError(t, err)
		require.Zero(t, count)

		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = keys.Authenticate(gone, apikey.Prefix+strings.Repeat("0", 52))
		require.Error(t, err)
		require.NotErrorIs(t, err, apikey.ErrUnknown)
		require.False(t, ent.IsNotFound(err))
	})
}

// Ensure a key is what it was made: role, flags and tenants, until it expires.
func TestKeyIsWhatItWasMade(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		at := now
		keys := apikey.New(db, func() time.Time { return at })
		ctx, o := databasetest.Organization(t, db, "One")
		mine, other := databasetest.Tenant(ctx, t, db, "contoso"), databasetest.Tenant(ctx, t, db, "fabrikam")
		end := now.Add(time.Hour)
		row, key, err := keys.Create(ctx, apikey.Create{
			Name: "client", Role: access.RoleAdmin, Flags: []access.Flag{access.FlagReadOnly}, Tenants: []string{mine.ID}, ExpiresAt: &end,
		})
		require.NoError(t, err)
		scope, err := keys.Authenticate(context.Background(), key)
		require.NoError(t, err)
		require.Equal(t, o.ID, scope.OrganizationID)
		require.True(t, scope.Principal.AssignedOnly)
		require.False(t, scope.May(access.TenantUpdate), "read-only, whatever the role")
		require.False(t, scope.May(access.MemberRead), "one client's key knows no members")
		seen, err := db.Client().Tenant.Query().IDs(access.With(context.Background(), scope))
		require.NoError(t, err)
		require.Equal(t, []string{mine.ID}, seen)
		require.NotContains(t, seen, other.ID)
		used, err := db.Client().APIKey.Get(ctx, row.ID)
		require.NoError(t, err)
		require.Equal(t, now, used.LastUsedAt.UTC())

		at = end
		_, err = keys.Authenticate(context.Background(), key)
		require.ErrorIs(t, err, apikey.ErrUnknown)
	})
}

// Ensure a key that a member made stops with the member, and with its being Admin.
func TestKeyStopsWithItsMaker(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		keys := apikey.New(db, clock)
		ctx, o := databasetest.Organization(t, db, "One")
		var maker *ent.Member
		change := func(do func(ctx context.Context, c *ent.Client) error) {
			t.Helper()
			require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error { return do(ctx, tx.Client) }))
		}
		change(func(ctx context.Context, c *ent.Client) (err error) {
			maker, err = c.Member.Create().SetOrganizationID(o.ID).SetEmail("a@msp.example").SetName("").SetRole(access.RoleAdmin).SetCreatedAt(now).Save(ctx)
			return err
		})
		as := access.With(context.Background(), access.Scope{OrganizationID: o.ID, Principal: access.Principal{
			Kind: access.PrincipalMember, ID: maker.ID, Role: access.RoleAdmin,
		}})
		_, key, err := keys.Create(as, apikey.Create{Role: access.RoleFullMember})
		require.NoError(t, err)
		_, err = keys.Authenticate(context.Background(), key)
		require.NoError(t, err)
		change(func(ctx context.Context, c *ent.Client) error {
			return c.Member.UpdateOne(maker).SetRole(access.RoleFullMember).Exec(ctx)
		})
		_, err = keys.Authenticate(context.Background(), key)
		require.ErrorIs(t, err, apikey.ErrUnknown)
		change(func(ctx context.Context, c *ent.Client) error {
			return c.Member.UpdateOne(maker).SetRole(access.RoleAdmin).SetRemovedAt(now).Exec(ctx)
		})
		_, err = keys.Authenticate(context.Background(), key)
		require.ErrorIs(t, err, apikey.ErrUnknown)
	})
}
