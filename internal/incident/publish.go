package incident

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Publish shows an incident to guests and read-only members. One that is
// published stays as it is. Refusal: NOT_FOUND.
func (s *Service) Publish(ctx context.Context, id string) (*ent.Incident, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("publish an incident: %w", err)
	}
	var out *ent.Incident
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := tx.Client.Incident.Query().Where(incident.ID(id), locked).Only(ctx)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"id"}, "no incident has this id")
		}
		if err != nil {
			return fmt.Errorf("read incident: %w", err)
		}
		if i.Published {
			out = i
			return nil
		}
		now := s.now()
		if out, err = tx.Client.Incident.UpdateOne(i).SetPublished(true).SetUpdatedAt(now).AddRevision(1).Save(ctx); err != nil {
			return fmt.Errorf("publish incident %s: %w", id, err)
		}
		if err := eventRow(tx.Client, out, now, scope.Principal.Name, incidentevent.KindPublished, "published").Exec(ctx); err != nil {
			return fmt.Errorf("store incident event: %w", err)
		}
		err = audit.Write(ctx, tx, now, audit.Entry{Action: "publishIncident", TenantID: i.TenantID, ObjectID: id, Result: audit.OK})
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, []Changed{{IncidentID: id, TenantID: i.TenantID, Revision: out.Revision}})
	})
	return out, err
}
