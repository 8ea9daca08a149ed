package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/idempotency"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

var t0 = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// input is what a made-up mutation is asked.
type input struct {
	Name string  `json:"name"`
	Note *string `json:"note,omitempty"`
}

type fixture struct {
	*testing.T

	db    *database.DB
	ctx   context.Context
	clock time.Time
	acts  atomic.Int64
}

func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		_, o := databasetest.Organization(t, db, "One")
		test(&fixture{T: t, db: db, clock: t0, ctx: as(o.ID, "apikey_1")})
	})
}

func as(organizationID, key string) context.Context {
	return access.With(context.Background(), access.Scope{
		OrganizationID: organizationID, Principal: access.Principal{Kind: access.PrincipalAPIKey, ID: key, Name: key, Role: access.RoleAdmin},
	})
}

// made is what the made-up mutation answers.
type made struct{ IDs []string }

// call makes a tenant of the input's name, once for the key; then goes on with after.
func (f *fixture) call(ctx context.Context, mutation, key string, in input, after func() error) (made, error) {
	c := idempotency.Call{Mutation: mutation, Key: &key, Input: in}
	return idempotency.Once(ctx, f.db, func() time.Time { return f.clock }, c, func(ctx context.Context) (out made, err error) {
		f.acts.Add(1)
		err = f.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error { // as services do
			s, err := access.From(ctx)
			if err != nil {
				return err
			}
			t, err := tx.Client.Tenant.Create().SetOrganizationID(s.OrganizationID).SetName(in.Name).
				SetNameKey(fmt.Sprint(in.Name, f.acts.Load())).SetCreatedAt(t0).Save(ctx)
			if err == nil {
				out.IDs = []string{t.ID}
			}
			return err
		})
		if err == nil && after != nil {
			err = after()
		}
		return out, err
	})
}

func (f *fixture) tenants() int {
	f.Helper()
	n, err := f.db.Client().Tenant.Query().Count(f.ctx)
	require.NoError(f, err)
	return n
}

func (f *fixture) keys() int {
	f.Helper()
	n, err := f.db.Client().IdempotencyKey.Query().Count(f.ctx)
	require.NoError(f, err)
	return n
}

// Ensure a call acts once for its key, and that its key is its own: the
// principal's, the mutation's, the organization's.
func TestOnce(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		first, err := f.call(f.ctx, "make", "k", input{Name: "a"}, nil)
		require.NoError(f, err)
		require.Len(f, first.IDs, 1)
		again, err := f.call(f.ctx, "make", "k", input{Name: "a"}, nil)
		require.NoError(f, err)
		require.Equal(f, first, again)
		require.Equal(f, 1, f.tenants())

		note := "x"
		_, err = f.call(f.ctx, "make", "k", input{Name: "a", Note: &note}, nil)
		refused := refusal.From(err)
		require.NotNil(f, refused, "%v", err)
		require.Equal(f, refusal.Conflict, refused.Code)
		require.Equal(f, []string{"idempotencyKey"}, refused.Field)
		require.Contains(f, refused.Message, "2026-03-10T12:00:00Z")
		require.Equal(f, 1, f.tenants())

		s, err := access.From(f.ctx)
		require.NoError(f, err)
		_, o := databasetest.Organization(f.T, f.db, "Two")
		for i, other := range []func() (made, error){
			func() (made, error) { return f.call(f.ctx, "make", "K", input{Name: "a"}, nil) },
			func() (made, error) { return f.call(f.ctx, "mend", "k", input{Name: "a"}, nil) },
			func() (made, error) {
				return f.call(as(s.OrganizationID, "apikey_2"), "make", "k", input{Name: "a"}, nil)
			},
			func() (made, error) { return f.call(as(o.ID, "apikey_1"), "make", "k", input{Name: "a"}, nil) },
		} {
			out, err := other()
			require.NoError(f, err)
			require.NotEqual(f, first, out)
			require.EqualValues(f, i+2, f.acts.Load())
		}
	})
}

// Ensure nothing is kept of what failed: not its key, and not what it wrote.
func TestFailureKeepsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		refused := refusal.New(refusal.Taken, []string{"name"}, "taken")
		_, err := f.call(f.ctx, "make", "k", input{Name: "a"}, func() error { return refused })
		require.ErrorIs(f, err, error(refused))
		require.Panics(f, func() {
			_, _ = f.call(f.ctx, "make", "k", input{Name: "a"}, func() error { panic("killed") })
		})
		ctx, cancel := context.WithCancel(f.ctx)
		_, err = f.call(ctx, "make", "k", input{Name: "a"}, func() error { cancel(); return nil })
		require.ErrorIs(f, err, context.Canceled)
		require.Zero(f, f.tenants())
		require.Zero(f, f.keys())

		out, err := f.call(f.ctx, "make", "k", input{Name: "b"}, nil)
		require.NoError(f, err, "with other input, too")
		require.Len(f, out.IDs, 1)
		require.Equal(f, 1, f.tenants())
	})
}

// Ensure calls that come at once are carried out once, and all learn the same.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		const callers = 8
		results, errs := make([]made, callers), make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() { results[i], errs[i] = f.call(f.ctx, "make", "k", input{Name: "a"}, nil) })
		}
		wg.Wait()
		for i := range callers {
			require.NoError(f, errs[i])
			require.Equal(f, results[0], results[i])
		}
		require.EqualValues(f, 1, f.acts.Load())
		found, err := f.db.Client().Tenant.Query().Where(tenant.Name("a")).IDs(f.ctx)
		require.NoError(f, err)
		require.Equal(f, results[0].IDs, found)
	})
}

// Ensure a key is known for two days and then forgotten, and others are left alone.
func TestKeysGoByAge(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		first, err := f.call(f.ctx, "make", "old", input{Name: "a"}, nil)
		require.NoError(f, err)
		f.clock = t0.Add(idempotency.Keep)
		again, err := f.call(f.ctx, "make", "old", input{Name: "a"}, nil)
		require.NoError(f, err)
		require.Equal(f, first, again)
		f.clock = f.clock.Add(time.Second)
		_, err = f.call(f.ctx, "make", "young", input{Name: "b"}, nil)
		require.NoError(f, err)
		require.Equal(f, 1, f.keys())
		anew, err := f.call(f.ctx, "make", "old", input{Name: "c"}, nil)
		require.NoError(f, err)
		require.NotEqual(f, first, anew)
	})
}

// Ensure a key is a text of some length, that none means none, and that nobody calls unnamed.
func TestKeys(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		for _, key := range []string{"", strings.Repeat("ä", 201)} {
			_, err := f.call(f.ctx, "make", key, input{}, nil)
			refused := refusal.From(err)
			require.NotNil(f, refused, "%v", err)
			require.Equal(f, refusal.Invalid, refused.Code)
		}
		_, err := f.call(f.ctx, "make", strings.Repeat("💥", 200), input{Name: "a"}, nil)
		require.NoError(f, err)
		for range 2 {
			n, err := idempotency.Once(f.ctx, f.db, nil, idempotency.Call{Mutation: "make"}, func(context.Context) (int64, error) { return f.acts.Add(1), nil })
			require.NoError(f, err)
			require.Equal(f, f.acts.Load(), n)
		}
		require.Equal(f, 1, f.keys())
		_, err = f.call(context.Background(), "make", "k", input{}, nil)
		require.ErrorIs(f, err, access.ErrNoScope)
	})
}

// Ensure a part that failed takes the whole with it, even where its error was swallowed.
func TestJoinedTransactionFailsWhole(t *testing.T) {
	t.Parallel()
	each(t, func(f *fixture) {
		broken := errors.New("broken")
		key := "k"
		_, err := idempotency.Once(f.ctx, f.db, func() time.Time { return t0 }, idempotency.Call{Mutation: "make", Key: &key}, func(ctx context.Context) (int, error) {
			_ = f.db.InTx(ctx, func(context.Context, *database.Tx) error { return broken })
			return 1, nil
		})
		require.ErrorIs(f, err, broken)
		require.Zero(f, f.keys())
	})
}
