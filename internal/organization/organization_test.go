package organization_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/organization"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

func clock() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

func TestResolve(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := organization.New(db, clock)
		ctx := context.Background() // the command line has no scope

		first, err := s.Resolve(ctx, "")
		require.NoError(t, err)
		require.Equal(t, organization.FirstName, first.Name)
		require.Equal(t, clock(), first.CreatedAt.UTC())
		for _, wanted := range []string{"", first.ID, "my ORGANIZATION"} {
			again, err := s.Resolve(ctx, wanted)
			require.NoError(t, err)
			require.Equal(t, first.ID, again.ID, wanted)
		}
		_, err = s.Resolve(ctx, "Fabrikam")
		require.Equal(t, refusal.NotFound, refusal.From(err).Code, "only an empty installation gets one made")

		_, second := databasetest.Organization(t, db, "Fabrikam")
		_, err = s.Resolve(ctx, "")
		require.ErrorContains(t, err, "--organization")
		found, err := s.Resolve(ctx, "fabrikam")
		require.NoError(t, err)
		require.Equal(t, second.ID, found.ID)

		_, third := databasetest.Organization(t, db, "FABRIKAM")
		_, err = s.Resolve(ctx, "Fabrikam")
		require.ErrorContains(t, err, "unique")
		found, err = s.Resolve(ctx, third.ID)
		require.NoError(t, err)
		require.Equal(t, third.ID, found.ID)
	})
}

func TestResolveNamesTheFirst(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		made, err := organization.New(db, clock).Resolve(context.Background(), "  Fabrikam ")
		require.NoError(t, err)
		require.Equal(t, "Fabrikam", made.Name)
	})
}

// Ensure two commands at once in an empty installation make one organization,
// not two between which every later command would have to choose.
func TestResolveAtOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := organization.New(db, clock)
		const callers = 8
		errs := make([]error, callers)
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() { _, errs[i] = s.Resolve(context.Background(), "") })
		}
		wait.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		count, err := db.Client().Organization.Query().Count(access.SystemAcrossOrganizations(context.Background(), "test"))
		require.NoError(t, err)
		require.Equal(t, 1, count)
	})
}
