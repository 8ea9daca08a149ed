package activitylog

import (
	"context"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Prune deletes, in the scope of ctx, up to limit activities that happened
// before the given moment and were stored before it, and returns how many went. What a finding cites
// stays, for the incident it belongs to must stay explainable.
func (l *Log) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	s, err := access.From(ctx)
	if err != nil {
		return 0, fmt.Errorf("prune activities: %w", err)
	}
	q := newQuery(l.db.Dialect())
	q.scope(s)
	q.where("occurred_at < " + q.bind(before))
	// An old export that was just imported is wanted: age counts from then.
	q.where("recorded_at < " + q.bind(before))
	cited := "SELECT value FROM findings, json_each(findings.evidence) WHERE findings.tenant_id = activities.tenant_id"
	if l.db.Dialect() == database.Postgres {
		cited = "SELECT jsonb_array_elements_text(findings.evidence::jsonb) FROM findings WHERE findings.tenant_id = activities.tenant_id"
	}
	q.where("id NOT IN (" + cited + ")")
	statement := "DELETE FROM activities WHERE id IN (" + q.statement("id", "occurred_at", limit) + ")" //nolint:gosec // every value is bound
	var n int64
	err = l.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		result, err := tx.SQL.ExecContext(ctx, statement, q.args...)
		if err != nil {
			return fmt.Errorf("prune activities: %w", err)
		}
		n, err = result.RowsAffected()
		return err
	})
	return int(n), err
}
