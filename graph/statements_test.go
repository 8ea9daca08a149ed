package graph_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"entgo.io/ent"
	"github.com/stretchr/testify/require"

	entities "github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// nested are operations in which every level leads to others.
var nested = map[string]string{
	"account, tenant and findings": `{incidents(first:50){nodes{number account{principal} tenant{name} findings(first:2){nodes{rule explanation}}}}}`,
	"evidence":                     `{incidents(first:50){nodes{findings(first:2){totalCount nodes{account{principal tenant{name}} incident{number} evidence(first:3){nodes{id account{principal} tenant{name}}}}}}}}`,
	"timeline":                     `{incidents(first:50){nodes{timeline(first:5){nodes{id ... on TimelineEvidence{activity{account{principal}} findings{rule}} ... on IncidentEvent{incident{number}}}}}}}`,
	"activities":                   `{activities(filter:{},first:50){nodes{account{principal tenant{name}} tenant{name}}}}`,
	"accounts":                     `{accounts(first:50){nodes{tenant{name}}}}`,
	"nodes":                        `{incidents(first:50){nodes{previous{account{principal} findings(last:1){nodes{rule}}} mergedInto{number}}}}`,
}

// fill makes incidents number from to n, each with an account, findings and evidence of its own.
func (w world) fill(from, n int) {
	w.Helper()
	tn := w.tenant(fmt.Sprintf("tenant %d", n), "")
	earlier := w.incident(tn, w.account(tn, "earlier@contoso.example"), 1000+n, func(c *entities.IncidentCreate) {
		c.SetDetectedAt(now.AddDate(0, 0, -9))
	})
	for i := from; i <= n; i++ {
		a := w.account(tn, fmt.Sprintf("p%d@contoso.example", i))
		in := w.incident(tn, a, i, func(c *entities.IncidentCreate) { c.SetPreviousID(earlier.ID).SetMergedIntoID(earlier.ID) })
		for k := range 3 {
			at := now.Add(time.Duration(k) * time.Minute)
			var cited []*activity.Activity
			for c := range 2 {
				cited = append(cited, w.activity(tn, a, fmt.Sprintf("%d-%d-%d", i, k, c), at, nil))
			}
			w.finding(in, fmt.Sprintf("%d-%d", i, k), at, cited...)
		}
	}
}

// constant checks that count finds as many statements with 50 incidents as with 5.
func (w world) constant(count func(query string) int) {
	w.Helper()
	w.fill(1, 5)
	few := map[string]int{}
	for name, query := range nested {
		few[name] = count(query)
		require.Positive(w, few[name])
		require.Less(w, few[name], 15, name)
	}
	w.fill(6, 50)
	for name, query := range nested {
		require.Equal(w, few[name], count(query), name)
	}
	w.Log("statements:", few)
}

// Ensure the number of entity queries does not grow with the number of items.
// (The activity log is no entity; the test below sees its statements.)
func TestConstantStatementsSQLite(t *testing.T) {
	t.Parallel()
	db := databasetest.SQLite(t)
	w := newWorld(t, db, nil)
	var mu sync.Mutex
	queries := 0
	db.Client().Intercept(ent.InterceptFunc(func(next ent.Querier) ent.Querier {
		return ent.QuerierFunc(func(ctx context.Context, q ent.Query) (ent.Value, error) {
			mu.Lock()
			queries++
			mu.Unlock()
			return next.Query(ctx, q)
		})
	}))
	w.constant(func(query string) int {
		queries = 0
		w.get(query)
		return queries
	})
}

// Ensure the number of statements PostgreSQL is sent, counted on the wire, does
// not grow with the number of items.
func TestConstantStatementsPostgreSQL(t *testing.T) {
	t.Parallel()
	wire := pgtest.Tap(t, pgtest.URL(t))
	db, err := database.Open(context.Background(), database.Config{URL: wire.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorld(t, db, nil)
	w.constant(func(query string) int {
		w.get(query)
		before := len(wire.Statements())
		w.get(query)
		return len(wire.Statements()) - before
	})
}
