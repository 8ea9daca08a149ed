package tenant_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

func clock() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

const (
	contoso  = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	fabrikam = "ffffffff-bbbb-4ccc-8ddd-eeeeeeeeeeee"
)

// each runs a test with two organizations' contexts.
func each(t *testing.T, test func(t *testing.T, db *database.DB, s *tenant.Service, ctx, other context.Context)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, _ := databasetest.Organization(t, db, "One")
		other, _ := databasetest.Organization(t, db, "Two")
		test(t, db, tenant.New(db, clock), ctx, other)
	})
}

func refusedAs(t *testing.T, code refusal.Code, err error) {
	t.Helper()
	refused := refusal.From(err)
	require.NotNil(t, refused, "%v", err)
	require.Equal(t, code, refused.Code, refused.Message)
}

func TestCreateAndFind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database.DB, s *tenant.Service, ctx, other context.Context) {
		made, err := s.Create(ctx, tenant.Create{Name: "  Contoso Ltd ", MicrosoftTenantID: strings.ToUpper(contoso)})
		require.NoError(t, err)
		require.Equal(t, "Contoso Ltd", made.Name)
		require.Equal(t, contoso, *made.MicrosoftTenantID)
		for _, ref := range []string{made.ID, contoso, strings.ToUpper(contoso), "{" + contoso + "}"} {
			found, err := s.Find(ctx, ref)
			require.NoError(t, err, ref)
			require.Equal(t, made.ID, found.ID)
			_, err = s.Find(other, ref)
			refusedAs(t, refusal.NotFound, err)
		}
		for _, ref := range []string{"", "Contoso Ltd", "organization_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn02q", fabrikam, "'"} {
			_, err := s.Find(ctx, ref)
			refusedAs(t, refusal.NotFound, err)
		}
		_, err = s.Find(context.Background(), made.ID) //nolint:contextcheck // without a scope
		require.ErrorIs(t, err, access.ErrNoScope)

		entries, err := db.Client().AuditEntry.Query().All(ctx)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "createTenant", entries[0].Action)
		require.Equal(t, made.ID, *entries[0].TenantID)
	})
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database.DB, s *tenant.Service, ctx, other context.Context) {
		_, err := s.Create(ctx, tenant.Create{Name: "Contoso", MicrosoftTenantID: contoso})
		require.NoError(t, err)
		for _, c := range []struct {
			in   tenant.Create
			code refusal.Code
		}{
			{tenant.Create{Name: "CONTOSO "}, refusal.Taken},
			{tenant.Create{Name: "Another", MicrosoftTenantID: contoso}, refusal.Taken},
			{tenant.Create{Name: " "}, refusal.Invalid},
			{tenant.Create{Name: strings.Repeat("ö", 201)}, refusal.Invalid},
			{tenant.Create{Name: "a\x1b[31mb"}, refusal.Invalid},
			{tenant.Create{Name: "a\nb"}, refusal.Invalid},
			{tenant.Create{Name: "Another", MicrosoftTenantID: "contoso.example"}, refusal.Invalid},
			{tenant.Create{Name: "Another", MicrosoftTenantID: "00000000-0000-0000-0000-000000000000"}, refusal.Invalid},
		} {
			_, err := s.Create(ctx, c.in)
			refusedAs(t, c.code, err)
		}
		count, err := db.Client().Tenant.Query().Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, count)
		count, err = db.Client().AuditEntry.Query().Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, count, "what was refused was not done")

		// Names and directories are an organization's own: none can claim one
		// before another, or learn that another has it.
		theirs, err := s.Create(other, tenant.Create{Name: "Contoso", MicrosoftTenantID: contoso})
		require.NoError(t, err)
		found, err := s.Find(other, contoso)
		require.NoError(t, err)
		require.Equal(t, theirs.ID, found.ID)
		found, err = s.Find(ctx, contoso)
		require.NoError(t, err)
		require.NotEqual(t, theirs.ID, found.ID)
		_, err = s.Create(ctx, tenant.Create{Name: strings.Repeat("ö", 200)})
		require.NoError(t, err)
		_, err = s.Create(context.Background(), tenant.Create{Name: "Nobody's"}) //nolint:contextcheck // without a scope
		require.ErrorIs(t, err, access.ErrNoScope)
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *database.DB, s *tenant.Service, ctx, other context.Context) {
		made, err := s.Create(ctx, tenant.Create{Name: "Contoso"})
		require.NoError(t, err)
		_, err = s.Create(ctx, tenant.Create{Name: "Fabrikam", MicrosoftTenantID: fabrikam})
		require.NoError(t, err)
		name, sensitive, id := "contoso", true, contoso
		changed, err := s.Update(ctx, made.ID, tenant.Update{Name: &name, Sensitive: &sensitive, MicrosoftTenantID: &id})
		require.NoError(t, err)
		require.Equal(t, "contoso", changed.Name, "its own name is no obstacle")
		require.True(t, changed.Sensitive)
		require.Equal(t, contoso, *changed.MicrosoftTenantID)
		_, err = s.Update(ctx, contoso, tenant.Update{MicrosoftTenantID: &id})
		require.NoError(t, err, "bound to the same again")

		rebound, taken := "99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee", "FABRIKAM"
		_, err = s.Update(ctx, made.ID, tenant.Update{MicrosoftTenantID: &rebound})
		refusedAs(t, refusal.Conflict, err)
		_, err = s.Update(ctx, made.ID, tenant.Update{Name: &taken})
		refusedAs(t, refusal.Taken, err)
		_, err = s.Update(other, made.ID, tenant.Update{Name: &taken})
		refusedAs(t, refusal.NotFound, err)

		unbound, err := s.Create(ctx, tenant.Create{Name: "Third"})
		require.NoError(t, err)
		held := fabrikam
		_, err = s.Update(ctx, unbound.ID, tenant.Update{MicrosoftTenantID: &held})
		refusedAs(t, refusal.Taken, err)
		refusedAs(t, refusal.Taken, s.Free(ctx, unbound, fabrikam))
		require.NoError(t, s.Free(ctx, unbound, rebound))
		bound, err := s.Update(ctx, unbound.ID, tenant.Update{MicrosoftTenantID: &rebound})
		require.NoError(t, err)
		require.Equal(t, rebound, *bound.MicrosoftTenantID)
		require.NoError(t, s.Free(ctx, bound, rebound), "its own")

		found, err := s.Find(ctx, made.ID)
		require.NoError(t, err)
		require.Equal(t, "contoso", found.Name)
	})
}

// settle settles a tenant as an import does, in a transaction of its own.
func settle(ctx context.Context, db *database.DB, s *tenant.Service, t *ent.Tenant, microsoftID string) (out *ent.Tenant, err error) {
	err = db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = s.Settle(ctx, tx, t, microsoftID)
		return err
	})
	return out, err
}

// Ensure a name gives a draft until it is settled, and the tenant from then on.
func TestByName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database.DB, s *tenant.Service, ctx, other context.Context) {
		draft, err := s.ByName(ctx, " Contoso ")
		require.NoError(t, err)
		require.False(t, tenant.Stored(draft))
		require.Equal(t, "Contoso", draft.Name)
		_, err = s.Find(ctx, draft.ID)
		refusedAs(t, refusal.NotFound, err)

		made, err := settle(ctx, db, s, draft, contoso)
		require.NoError(t, err)
		require.True(t, tenant.Stored(made))
		require.Equal(t, draft.ID, made.ID)
		require.Equal(t, contoso, *made.MicrosoftTenantID)
		again, err := s.ByName(ctx, "CONTOSO")
		require.NoError(t, err)
		require.True(t, tenant.Stored(again))
		require.Equal(t, made.ID, again.ID)
		require.NoError(t, s.Free(ctx, draft, contoso), "the draft was that tenant's")
		same, err := settle(ctx, db, s, again, contoso)
		require.NoError(t, err)
		require.Equal(t, made.ID, same.ID)
		_, err = settle(ctx, db, s, again, fabrikam)
		refusedAs(t, refusal.Conflict, err)

		others, err := s.ByName(other, "Contoso")
		require.NoError(t, err)
		require.False(t, tenant.Stored(others))
		require.NotEqual(t, made.ID, others.ID)
		_, err = s.ByName(ctx, "")
		refusedAs(t, refusal.Invalid, err)
		_, err = s.ByName(ctx, "\xff\x00")
		refusedAs(t, refusal.Invalid, err)
	})
}

// Ensure of two processes that settle one name, one makes the tenant and the
// other is told that it is taken.
func TestSettleAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database.DB, s *tenant.Service, ctx, _ context.Context) {
		const callers = 8
		errs := make([]error, callers)
		drafts := make([]*ent.Tenant, callers)
		for i := range callers {
			var err error
			drafts[i], err = s.ByName(ctx, "Contoso")
			require.NoError(t, err)
		}
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() { _, errs[i] = settle(ctx, db, s, drafts[i], contoso) })
		}
		wait.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			refusedAs(t, refusal.Taken, err)
		}
		require.Equal(t, 1, made)
		count, err := db.Client().Tenant.Query().Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, count)
	})
}

// Ensure two imports that start at once bind a tenant to the directory both
// name, and never to two.
func TestBindAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database.DB, s *tenant.Service, ctx, _ context.Context) {
		made, err := s.Create(ctx, tenant.Create{Name: "Contoso"})
		require.NoError(t, err)
		directories := []string{contoso, fabrikam}
		const callers = 8
		errs := make([]error, callers)
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() { _, errs[i] = settle(ctx, db, s, made, directories[i%2]) })
		}
		wait.Wait()
		bound, err := s.Find(ctx, made.ID)
		require.NoError(t, err)
		for i, err := range errs {
			if directories[i%2] == *bound.MicrosoftTenantID {
				require.NoError(t, err)
			} else {
				refusedAs(t, refusal.Conflict, err)
			}
		}
	})
}
