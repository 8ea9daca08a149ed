package incident

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Note is what was said of an incident elsewhere, and belongs on its timeline.
type Note struct {
	Kind     incidentevent.Kind // NOTED, or ASKED for what a person is to answer
	By       string             // who said it, by name
	Text     string             // literal (package literal)
	Internal bool               // guests don't read it
	TicketID string             // where it was said
}

// Tell puts notes on an incident's timeline, in order; it joins the transaction
// of ctx. Refusal: NOT_FOUND.
func (s *Service) Tell(ctx context.Context, id string, notes ...Note) error {
	if len(notes) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := tx.Client.Incident.Query().Where(incident.ID(id), locked).Only(ctx)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"id"}, "no incident has this id")
		}
		if err != nil {
			return fmt.Errorf("read incident: %w", err)
		}
		now := s.now()
		for _, n := range notes {
			i.Revision++
			err := eventRow(tx.Client, i, now, n.By, n.Kind, n.Text).SetInternal(n.Internal).SetRelatedID(n.TicketID).Exec(ctx)
			if err != nil {
				return fmt.Errorf("store incident event: %w", err)
			}
		}
		if err := tx.Client.Incident.UpdateOneID(id).SetRevision(i.Revision).SetUpdatedAt(now).Exec(ctx); err != nil {
			return fmt.Errorf("tell of incident %s: %w", id, err)
		}
		return s.tell(ctx, tx, []Changed{{IncidentID: id, TenantID: i.TenantID, Revision: i.Revision}})
	})
}
