package incident_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
)

// Ensure followers are told of every incident whose revision rose, once a
// transaction, with the revision it has then, and of no other.
func TestFollowersAreTold(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		var told [][]incident.Changed
		s.service = incident.New(s.db, func() time.Time { return *s.now }, func(ctx context.Context, tx *database.Tx, changed []incident.Changed) error {
			for _, c := range changed { // the row says it by then
				row, err := tx.Client.Incident.Get(ctx, c.IncidentID)
				if err != nil {
					return err
				}
				require.Equal(s, row.Revision, c.Revision)
				require.Equal(s, row.TenantID, c.TenantID)
			}
			told = append(told, changed)
			return nil
		})
		numbers := func() (out [][]int) {
			for _, changed := range told {
				var list []int
				for _, c := range changed {
					row, err := s.db.Client().Incident.Get(s.ctx, c.IncidentID)
					require.NoError(s, err)
					list = append(list, row.Number)
				}
				out = append(out, list)
			}
			told = nil
			return out
		}
		late, early := s.found("a", t0), s.found("b", t0.Add(-30*day))
		s.review(late, early)
		require.Equal(s, [][]int{{1, 2}}, numbers(), "two opened, by number")
		s.review(late, early)
		require.Empty(s, numbers(), "nothing changed")
		s.review(late, early, s.found("c", t0.Add(time.Hour)))
		require.Equal(s, [][]int{{2}}, numbers(), "one joined")
		s.review(late, early, s.found("c", t0.Add(time.Hour)), s.found("d", t0.Add(-30*day), func(f *detect.Finding) { f.Confidence = detect.ConfidenceLow }))
		require.Equal(s, [][]int{{1}}, numbers())

		id := s.incident(1).ID
		for range 2 { // the second changes nothing
			_, err := s.service.SetStatus(s.ctx, id, entincident.StatusContained, "sessions revoked")
			require.NoError(s, err)
		}
		require.Equal(s, [][]int{{1}}, numbers())

		s.review()
		require.Equal(s, [][]int{{1, 2}}, numbers(), "both superseded")
	})
}

// Ensure a follower that fails undoes the change.
func TestFollowerThatFailsUndoesTheChange(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		s.review(s.found("a", t0))
		broken := errors.New("broken")
		s.service = incident.New(s.db, func() time.Time { return *s.now },
			func(context.Context, *database.Tx, []incident.Changed) error { return broken })
		_, err := s.service.SetStatus(s.ctx, s.incident(1).ID, entincident.StatusContained, "sessions revoked")
		require.ErrorIs(s, err, broken)
		require.ErrorIs(s, s.tryReview(), broken)
		require.Equal(s, []string{"#1 OPEN a"}, s.state())
	})
}
