package incident_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Ensure a person's word and records that come at the same moment follow one
// another: neither overwrites what the other has not seen.
func TestStatusBesideRecords(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		s.review(s.found("a", t0))
		id := s.incident(1).ID
		answer := make(chan error, 1)
		require.NoError(s, s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) error {
			if _, err := s.service.Apply(ctx, tx, s.tenant, []detect.Review{{Book: book}}); err != nil {
				return err
			}
			go func() {
				_, err := s.service.SetStatus(s.ctx, id, entincident.StatusContained, "sessions revoked")
				answer <- err
			}()
			return untilWaitedFor(ctx, tx)
		}))
		refused := refusal.From(<-answer)
		require.NotNil(s, refused)
		require.Equal(s, refusal.Conflict, refused.Code)
		require.Equal(s, []string{"#1 SUPERSEDED"}, s.state())
	})
}

// untilWaitedFor returns when another transaction waits for this one. On
// SQLite none begins while this one lasts.
func untilWaitedFor(ctx context.Context, tx *database.Tx) error {
	for waiting := tx.Dialect() == database.SQLite; !waiting; {
		const statement = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
		if err := tx.SQL.QueryRowContext(ctx, statement).Scan(&waiting); err != nil {
			return err
		}
	}
	return nil
}
