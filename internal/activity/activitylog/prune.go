package activitylog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Prune deletes, in the scope of ctx, the activities that happened before the
// given moment and were stored before it (an old export that was just imported
// is wanted), and returns how many went. What a finding cites stays, for the
// incident it belongs to must stay explainable. That a record was there stays
// known (Sift): detection has counted it, and must not count it again.
//
// It takes a bite of so many records at a time, each with the tenant's intake
// position: nothing is taken in meanwhile that could come to cite them.
func (l *Log) Prune(ctx context.Context, before time.Time, bite int) (int, error) {
	tenants, err := l.db.Client().Tenant.Query().Order(tenant.ByID()).IDs(ctx)
	if err != nil {
		return 0, fmt.Errorf("prune activities: %w", err)
	}
	total := 0
	for _, id := range tenants {
		n, err := l.pruneTenant(ctx, id, before, bite)
		total += n
		if err != nil {
			return total, fmt.Errorf("prune activities of tenant %s: %w", id, err)
		}
	}
	return total, nil
}

// stretch is how many bites are looked over at once: that reads all findings
// of the tenant.
const stretch = 10

func (l *Log) pruneTenant(ctx context.Context, tenantID string, before time.Time, bite int) (total int, err error) {
	var behind *Position
	limit := min(stretch*bite, maxParameters)
	for {
		// What may go is found without a lock. It stays true as long as the
		// position does: what findings cite changes with intake only.
		position, err := intakePosition(ctx, l.db.Reader(), tenantID, "")
		if err != nil {
			return total, err
		}
		ids, last, err := l.aged(ctx, tenantID, before, behind, limit)
		if err != nil || len(ids) == 0 {
			return total, err
		}
		free, err := uncited(ctx, l.db.Reader(), l.db.Dialect(), tenantID, before, ids)
		if err != nil {
			return total, err
		}
		for part := range slices.Chunk(free, bite) {
			n := 0
			err := l.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
				n, err = drop(ctx, tx, tenantID, before, position, part)
				return err
			})
			if err != nil {
				return total, err
			}
			total += n
		}
		if len(ids) < limit {
			return total, nil
		}
		behind = last
	}
}

// querier is a transaction, or what reads outside one.
type querier interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// intakePosition returns the tenant's, 0 where nothing has been taken in.
func intakePosition(ctx context.Context, from querier, tenantID, suffix string) (position int64, err error) {
	err = from.QueryRowContext(ctx, "SELECT position FROM intake_positions WHERE tenant_id = $1"+suffix, tenantID).Scan(&position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the intake position: %w", err)
	}
	return position, nil
}

// aged returns the next activities past their age, in the order of time, and
// the position of the last.
func (l *Log) aged(ctx context.Context, tenantID string, before time.Time, behind *Position, limit int) (ids []string, last *Position, err error) {
	q := newQuery(l.db.Dialect())
	q.where("tenant_id = " + q.bind(tenantID))
	q.where("occurred_at < " + q.bind(before))
	q.where("recorded_at < " + q.bind(before))
	if behind != nil {
		q.where("(occurred_at, id) > (" + q.bind(behind.OccurredAt) + ", " + q.bind(behind.ID) + ")")
	}
	rows, err := l.db.Reader().QueryContext(ctx, q.statement("id, occurred_at", "occurred_at, id", limit), q.args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	last = &Position{}
	for rows.Next() {
		if err := rows.Scan(&last.ID, &last.OccurredAt); err != nil {
			return nil, nil, err
		}
		ids = append(ids, last.ID)
	}
	return ids, last, rows.Err()
}

// uncited returns those of the activities that are past their age and that no
// finding cites.
func uncited(ctx context.Context, from querier, dialect database.Dialect, tenantID string, before time.Time, ids []string) ([]string, error) {
	q := newQuery(dialect)
	q.in("id", ids)
	q.where("recorded_at < " + q.bind(before))
	// Each form is the one whose database reads the findings once, and not once
	// for each activity.
	if dialect == database.Postgres {
		q.where("NOT EXISTS (SELECT 1 FROM findings, jsonb_array_elements_text(findings.evidence::jsonb) AS cited(id) " +
			"WHERE cited.id = activities.id AND findings.tenant_id = " + q.bind(tenantID) + ")")
	} else {
		q.where("id NOT IN (SELECT cited.value FROM findings, json_each(findings.evidence) AS cited WHERE findings.tenant_id = " + q.bind(tenantID) + ")")
	}
	return readIDs(ctx, from, q)
}

// drop deletes activities that were found to be free when the tenant's intake
// stood at a position, and returns how many still were.
func drop(ctx context.Context, tx *database.Tx, tenantID string, before time.Time, position int64, ids []string) (int, error) {
	lock := " FOR UPDATE" // intake holds the row until it has committed
	if tx.Dialect() != database.Postgres {
		lock = "" // a transaction is alone
	}
	now, err := intakePosition(ctx, tx.SQL, tenantID, lock)
	if err != nil {
		return 0, err
	}
	if now != position {
		if ids, err = uncited(ctx, tx.SQL, tx.Dialect(), tenantID, before, ids); err != nil || len(ids) == 0 {
			return 0, err
		}
	}
	q := newQuery(tx.Dialect())
	q.in("id", ids)
	gone := strings.Join(q.conditions, "")
	if err := leaveRuns(ctx, tx, ids); err != nil {
		return 0, err
	}
	var n int64 // of both statements alike
	for _, statement := range []string{
		"INSERT INTO dropped_activities (id, organization_id, tenant_id) SELECT id, organization_id, tenant_id FROM activities WHERE " + gone,
		"DELETE FROM activities WHERE " + gone,
	} {
		result, err := tx.SQL.ExecContext(ctx, statement, q.args...)
		if err != nil {
			return 0, err
		}
		if n, err = result.RowsAffected(); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

func readIDs(ctx context.Context, from querier, q *query) (ids []string, err error) {
	rows, err := from.QueryContext(ctx, q.statement("id", "", 0), q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// recall finds which of the ids are of dropped activities, and forgets that
// they were: they are about to be stored again.
func recall(ctx context.Context, tx *database.Tx, ids []string) (dropped map[string]bool, err error) {
	dropped = map[string]bool{}
	var some bool // most installations are younger than their retention
	if err := tx.SQL.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM dropped_activities)").Scan(&some); err != nil || !some {
		return dropped, err
	}
	for len(ids) > 0 {
		n := min(len(ids), maxParameters)
		q := newQuery(tx.Dialect())
		q.in("id", ids[:n])
		ids = ids[n:]
		if err := forget(ctx, tx, q, dropped); err != nil {
			return nil, fmt.Errorf("look up dropped activities: %w", err)
		}
	}
	return dropped, nil
}

func forget(ctx context.Context, tx *database.Tx, q *query, into map[string]bool) (err error) {
	rows, err := tx.SQL.QueryContext(ctx, "DELETE FROM dropped_activities WHERE "+strings.Join(q.conditions, "")+" RETURNING id", q.args...) //nolint:gosec // every value is bound
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		into[id] = true
	}
	return rows.Err()
}
