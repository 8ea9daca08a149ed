package incident_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// crowd makes n accounts and a review of each, with a finding.
func (s *scene) crowd(n int) []detect.Review {
	s.Helper()
	create := make([]*ent.AccountCreate, n)
	var accounts []*ent.Account
	require.NoError(s, s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		for i := range create {
			create[i] = tx.Client.Account.Create().SetTenantID(s.tenant).SetPrincipal(fmt.Sprintf("p%d of %d@contoso.example", i, n)).SetCreatedAt(t0)
		}
		accounts, err = tx.Client.Account.CreateBulk(create...).Save(ctx)
		return err
	}))
	var reviews []detect.Review
	for _, a := range accounts {
		r := detect.Review{Book: detect.BookKey{Kind: detect.BookAccount, Subject: a.ID, Period: 1}}
		f := s.found(a.ID, t0, func(f *detect.Finding) { f.Book, f.AccountID = r.Book, a.ID })
		r.Findings = append(r.Findings, f)
		reviews = append(reviews, r)
	}
	return reviews
}

// Ensure a batch that concerns 500 accounts takes as many statements as one
// that concerns five, each of them naming its tenant or the organization, and
// that numbers are taken when all has been read.
func TestStatementsPostgreSQL(t *testing.T) {
	t.Parallel()
	wire := pgtest.Tap(t, pgtest.URL(t))
	db, err := database.Open(context.Background(), database.Config{URL: wire.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s := newScene(t, db)
	statements := func(reviews []detect.Review) []string {
		before := len(wire.Statements())
		s.apply(reviews...)
		return wire.Statements()[before:]
	}
	few, many := s.crowd(5), s.crowd(500)
	opening := statements(many)
	require.Len(t, opening, len(statements(few)))
	require.Less(t, len(opening), 20)
	last := func(prefix string) int {
		for i, statement := range slices.Backward(opening) {
			if strings.HasPrefix(statement, prefix) {
				return i
			}
		}
		require.Fail(t, "never sent", prefix)
		return -1
	}
	number := last(`UPDATE "organizations"`)
	for i, statement := range opening {
		if strings.HasPrefix(statement, `SELECT`) && !strings.Contains(statement, `"organizations"`) {
			require.Less(t, i, number, statement)
		}
		_, where, narrowed := strings.Cut(statement, "WHERE")
		switch {
		case slices.Contains([]string{"begin", "commit"}, statement):
		case strings.Contains(statement, `"organizations"`), strings.Contains(statement, `FROM "tenants"`):
			require.Contains(t, where, `"id" = `, statement)
		case strings.HasPrefix(statement, `INSERT INTO "incident_events"`): // nothing is changed by these
		default:
			require.True(t, narrowed, statement)
			require.Contains(t, where, "organization_id", statement)
			require.Contains(t, where, "tenant_id", statement)
		}
	}
	require.Greater(t, last(`INSERT INTO "incidents"`), number)

	// Every finding changes; then nothing does; then every one is superseded.
	for _, reviews := range [][]detect.Review{few, many} {
		for i := range reviews {
			reviews[i].Findings[0].Explanation = "otherwise"
		}
	}
	require.Len(t, statements(many), len(statements(few)))
	unchanged := statements(many)
	require.Less(t, len(unchanged), 10)
	for _, statement := range unchanged {
		require.NotContains(t, statement, "INSERT")
	}
	for _, reviews := range [][]detect.Review{few, many} {
		for i := range reviews {
			reviews[i].Findings = nil
		}
	}
	require.Len(t, statements(many), len(statements(few)))
	s.eventsTellAll()
}

// Ensure batches of many tenants of one organization neither wait for each
// other for ever nor give two incidents one number.
func TestNumbersUnderConcurrency(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		first := newScene(t, db)
		ctx, cancel := context.WithTimeout(first.ctx, time.Minute) // a deadlock would last for ever
		defer cancel()
		const tenants, rounds = 4, 3
		scenes := make([]*scene, tenants)
		for i := range scenes {
			s := *first
			s.ctx, s.tenant = ctx, databasetest.Tenant(first.ctx, t, db, fmt.Sprint("tenant ", i)).ID
			scenes[i] = &s
		}
		errs := make(chan error)
		for _, s := range scenes {
			go func() {
				var err error
				for round := 1; round <= rounds && err == nil; round++ {
					var findings []detect.Finding
					for k := range 3 * round {
						findings = append(findings, s.found(strconv.Itoa(k), t0.Add(-time.Duration(k)*20*day), func(f *detect.Finding) { f.AccountID = "" }))
					}
					err = s.tryReview(findings...)
				}
				errs <- err
			}()
		}
		for range scenes {
			require.NoError(t, <-errs)
		}
		list, err := db.Client().Incident.Query().All(ctx)
		require.NoError(t, err)
		numbers := map[int]bool{}
		for _, i := range list {
			numbers[i.Number] = true
		}
		require.Len(t, list, tenants*3*rounds)
		require.Len(t, numbers, len(list))
	})
}
