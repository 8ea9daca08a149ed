package ticketing

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// IDPrefix is the type prefix of ticket ids.
const IDPrefix = "ticket"

// idOf is the id of an incident's ticket in a PSA, and its reference there. It
// derives from the incident and the PSA's account, so that neither a row that
// was lost nor a connection that was made anew leads to a second ticket.
func idOf(incidentID string, c *ent.PSAConnection) string {
	return typeid.Derived(IDPrefix, incidentID, c.Kind, c.Account)
}

// Follow has the tickets of changed incidents follow, within the transaction
// that changed them (it is an incident.Follower). A live incident that has no
// ticket gets one in each connection that its tenant's routes lead to; past ones
// get theirs when asked for.
func (s *Service) Follow(ctx context.Context, tx *database.Tx, changed []incidents.Changed) error {
	all, err := tx.Client.PSAConnection.Query().Where(psaconnection.DisconnectedAtIsNil()).Order(psaconnection.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("follow incidents: read the PSA connections: %w", err)
	}
	if len(all) == 0 {
		return nil
	}
	ids := make([]string, len(changed))
	for i, c := range changed {
		ids[i] = c.IncidentID
	}
	for part := range slices.Chunk(ids, followChunk) {
		if err := s.followPart(ctx, tx, all, part); err != nil {
			return fmt.Errorf("follow incidents: %w", err)
		}
	}
	return nil
}

// followChunk is how many incidents one statement reads.
const followChunk = 1000

func (s *Service) followPart(ctx context.Context, tx *database.Tx, all []*ent.PSAConnection, ids []string) error {
	changed, err := tx.Client.Incident.Query().Where(incident.IDIn(ids...)).Order(incident.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the incidents: %w", err)
	}
	rows, err := tx.Client.Ticket.Query().Where(ticket.IncidentIDIn(ids...), locked).Order(ticket.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read their tickets: %w", err)
	}
	have := make(map[string]*ent.Ticket, len(rows))
	for _, t := range rows {
		have[t.ID] = t
	}
	for _, i := range changed {
		for _, c := range all {
			switch t := have[idOf(i.ID, c)]; {
			case t != nil:
				err = s.want(ctx, tx, t, i.Revision)
			case i.IsLive && !over(i) && leadsHere(c, i.TenantID) && !settledElsewhere(i, c, rows):
				err = s.request(ctx, tx, i, c, "The incident is live.")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// want raises what a ticket is to mirror. One that waits for its next attempt
// or for a person goes on waiting: the change alone mends nothing.
func (s *Service) want(ctx context.Context, tx *database.Tx, t *ent.Ticket, revision int) error {
	if t.State == ticket.StateDeleted {
		return nil
	}
	u := tx.Client.Ticket.UpdateOne(t).SetWantedRevision(max(revision, t.WantedRevision)).SetUpdatedAt(s.Now())
	if t.State == ticket.StateSynced || t.State == ticket.StateCancelled {
		u.SetState(ticket.StatePending)
	}
	if err := u.Exec(ctx); err != nil {
		return fmt.Errorf("update ticket %s: %w", t.ID, err)
	}
	s.changed(tx, t)
	return s.Work.Wake(ctx, tx, tickets, t.ID)
}

// changed has whoever works on tickets, or shows them, look.
func (s *Service) changed(tx *database.Tx, t *ent.Ticket) {
	s.Feed.Note(tx, change.Change{OrganizationID: t.OrganizationID, TenantID: t.TenantID, What: change.Ticket, ObjectID: t.ID, Revision: t.WantedRevision})
}

// request makes the row of a ticket that is to be.
func (s *Service) request(ctx context.Context, tx *database.Tx, i *ent.Incident, c *ent.PSAConnection, why string) error {
	now := s.Now()
	t, err := tx.Client.Ticket.Create().SetID(idOf(i.ID, c)).
		SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).SetIncidentID(i.ID).SetConnectionID(c.ID).
		SetWantedRevision(i.Revision).SetNextAttemptAt(now).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	if err != nil {
		return fmt.Errorf("request a ticket for incident %s: %w", i.ID, err)
	}
	return s.tell(ctx, tx, t, event{kind: ticketevent.KindRequested, text: why})
}

// locked keeps other transactions from changing the rows a query returns until
// this one ends. On SQLite only one transaction writes at a time.
func locked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate()
	}
}
