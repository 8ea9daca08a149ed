package activitylog

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Plan returns SQLite's plan of a search.
func (l *Log) Plan(ctx context.Context, t testing.TB, f Filter, p Page) (plan []string) {
	t.Helper()
	q, err := l.filtered(ctx, f)
	require.NoError(t, err)
	order := q.between(p)
	rows, err := l.db.Reader().QueryContext(ctx, "EXPLAIN QUERY PLAN "+q.statement(selectListed, order, p.Limit), q.args...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return plan
}
