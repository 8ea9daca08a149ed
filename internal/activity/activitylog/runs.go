package activitylog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
)

// A run is some thousand activities of one tenant that were stored one after
// another. The indexes of accounts, sessions and addresses begin with it, so
// that each batch is written into one small part of them, however much the
// tenant has and however many accounts; a look-up goes from run to run, and
// skips those that lie outside the time it asks for.

// runRecords is from how many records on a run takes no further batch: few
// enough for its part of an index to be written at once, and enough for years
// of a tenant to be some hundred runs.
const runRecords = 16_384

// openRun returns the run that takes a tenant's next versions, and counts them in.
func openRun(ctx context.Context, tx *database.Tx, versions []*activity.Activity) (run int64, err error) {
	a := versions[0]
	first, last := a.OccurredAt, a.OccurredAt
	for _, v := range versions {
		first, last = earlier(first, v.OccurredAt), later(last, v.OccurredAt)
	}
	var records int
	var from, to time.Time
	err = tx.SQL.QueryRowContext(ctx, "SELECT run, records, first_at, last_at FROM activity_runs WHERE tenant_id = $1 ORDER BY run DESC LIMIT 1",
		a.TenantID).Scan(&run, &records, &from, &to)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && records >= runRecords:
		err = tx.SQL.QueryRowContext(ctx, "INSERT INTO activity_runs (organization_id, tenant_id, records, first_at, last_at) VALUES ($1, $2, $3, $4, $5) RETURNING run",
			a.OrganizationID, a.TenantID, len(versions), first, last).Scan(&run)
	case err == nil:
		_, err = tx.SQL.ExecContext(ctx, "UPDATE activity_runs SET records = $1, first_at = $2, last_at = $3 WHERE run = $4",
			records+len(versions), earlier(first, from), later(last, to), run)
	}
	if err != nil {
		return 0, fmt.Errorf("open a run of tenant %s: %w", a.TenantID, err)
	}
	return run, nil
}

func earlier(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}

func later(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}

// widenRun has a run cover a moment: an activity in it changed its time.
func widenRun(ctx context.Context, tx *database.Tx, run int64, at time.Time) error {
	for _, statement := range []string{
		"UPDATE activity_runs SET first_at = $1 WHERE run = $2 AND first_at > $3",
		"UPDATE activity_runs SET last_at = $1 WHERE run = $2 AND last_at < $3",
	} {
		if _, err := tx.SQL.ExecContext(ctx, statement, at, run, at); err != nil {
			return fmt.Errorf("run %d: %w", run, err)
		}
	}
	return nil
}

// leaveRuns takes activities that are about to be deleted out of their runs,
// and drops the runs that have none left.
func leaveRuns(ctx context.Context, tx *database.Tx, ids []string) error {
	left, err := countByRun(ctx, tx, ids)
	if err != nil {
		return err
	}
	for run, n := range left {
		if _, err := tx.SQL.ExecContext(ctx, "UPDATE activity_runs SET records = records - $1 WHERE run = $2", n, run); err != nil {
			return err
		}
		if _, err := tx.SQL.ExecContext(ctx, "DELETE FROM activity_runs WHERE run = $1 AND records <= 0", run); err != nil {
			return err
		}
	}
	return nil
}

func countByRun(ctx context.Context, tx *database.Tx, ids []string) (counts map[int64]int, err error) {
	q := newQuery(tx.Dialect())
	q.in("id", ids)
	statement := "SELECT run, count(*) FROM activities" + q.conjunction() + " GROUP BY run" //nolint:gosec // every value is bound
	rows, err := tx.SQL.QueryContext(ctx, statement, q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	counts = map[int64]int{}
	for rows.Next() {
		var run int64
		var n int
		if err := rows.Scan(&run, &n); err != nil {
			return nil, err
		}
		counts[run] = n
	}
	return counts, rows.Err()
}

// keyed says that the filter looks something up: the indexes for that have the
// run before the key.
func (f Filter) keyed() bool {
	return len(f.AccountIDs) > 0 || len(f.SessionIDs) > 0 || len(f.Addresses) > 0
}

// runs names the runs a look-up must go through, so that the database jumps
// from one to the next.
func (l *Log) runs(ctx context.Context, q *query, s access.Scope, f Filter) error {
	of := newQuery(l.db.Dialect())
	of.scopeOf("activity_runs", logRows, s)
	of.in("tenant_id", f.TenantIDs)
	if len(f.TenantIDs) == 0 && len(f.AccountIDs) > 0 {
		of.where("tenant_id IN (SELECT tenant_id FROM accounts WHERE " + of.isOneOf("id", f.AccountIDs) + ")")
	}
	if !f.From.IsZero() {
		of.where("last_at >= " + of.bind(f.From))
	}
	if !f.To.IsZero() {
		of.where("first_at < " + of.bind(f.To))
	}
	all := []int64{}
	err := l.each(ctx, "SELECT run FROM activity_runs"+of.conjunction(), of.args, func(rows *sql.Rows) error {
		var run int64
		err := rows.Scan(&run)
		all = append(all, run)
		return err
	})
	if err != nil {
		return err
	}
	if q.dialect == database.Postgres {
		q.where("activities.run = ANY(" + q.bind(all) + ")")
		return nil
	}
	list, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("search activities: %w", err)
	}
	q.where("activities.run IN (SELECT value FROM json_each(" + q.bind(string(list)) + "))")
	return nil
}
