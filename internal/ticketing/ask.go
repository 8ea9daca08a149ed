package ticketing

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketnote"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Create asks for an incident's ticket in a connection: for a past incident, or
// where the ticket was deleted in the PSA. Where there is one, it is returned as
// it is. Refusals: no such incident or connection (NOT_FOUND).
func (s *Service) Create(ctx context.Context, incidentID, connectionID string) (*ent.Ticket, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("create a ticket: %w", err)
	}
	c, err := s.find(ctx, connectionID)
	if err != nil {
		if r := refusal.From(err); r != nil {
			r.Field = []string{"connectionId"}
		}
		return nil, err
	}
	var out *ent.Ticket
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := tx.Client.Incident.Query().Where(incident.ID(incidentID), locked).Only(ctx)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"incidentId"}, "no incident has this id")
		}
		if err != nil {
			return fmt.Errorf("read incident %s: %w", incidentID, err)
		}
		t, err := tx.Client.Ticket.Query().Where(ticket.ID(idOf(i.ID, c.ID)), locked).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			err = s.request(ctx, tx, i, c.ID, "Asked for by "+scope.Principal.Name+".")
		case err == nil && t.State == ticket.StateDeleted:
			err = s.begin(ctx, tx, t, i, scope.Principal.Name)
		case err == nil:
			out = t
			return nil
		}
		if err != nil {
			return err
		}
		if out, err = tx.Client.Ticket.Query().Where(ticket.ID(idOf(i.ID, c.ID))).Only(ctx); err != nil {
			return fmt.Errorf("read the ticket: %w", err)
		}
		if err := s.Wake(ctx, tx, c.OrganizationID, c.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "createTicket", TenantID: i.TenantID, ObjectID: out.ID, Result: "OK", Detail: c.Name})
	})
	return out, err
}

// begin has a ticket that was deleted in the PSA made once more.
func (s *Service) begin(ctx context.Context, tx *database.Tx, t *ent.Ticket, i *ent.Incident, by string) error {
	now := s.Now()
	if _, err := tx.Client.TicketNote.Delete().Where(ticketnote.TicketID(t.ID)).Exec(ctx); err != nil {
		return fmt.Errorf("begin ticket %s again: %w", t.ID, err)
	}
	err := tx.Client.Ticket.UpdateOne(t).SetState(ticket.StatePending).SetWantedRevision(i.Revision).SetOpenedRevision(0).SetSyncedRevision(0).
		ClearAttemptedAt().ClearVerifyAt().SetPushedClosed(false).SetPushedTitle("").SetPushedSeverity("").
		SetExternalID("").SetExternalNumber("").SetExternalURL("").SetExternalStatus("").SetExternalStatusID("").SetExternalClosed(false).
		SetLook(false).SetAttempts(0).SetLastError("").SetLastErrorReason("").ClearLastErrorAt().SetNextAttemptAt(now).SetUpdatedAt(now).Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin ticket %s again: %w", t.ID, err)
	}
	return s.tell(ctx, tx, t, event{kind: ticketevent.KindRequested, text: "Asked for once more.", by: by})
}

// Retry has a ticket tried at once. Refusals: no such ticket (NOT_FOUND); one
// that was deleted in the PSA, or whose connection has ended (CONFLICT).
func (s *Service) Retry(ctx context.Context, id string) (*ent.Ticket, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("retry a ticket: %w", err)
	}
	var out *ent.Ticket
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		t, err := tx.Client.Ticket.Query().Where(ticket.ID(id), locked).WithConnection().Only(ctx)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"id"}, "no ticket has this id")
		}
		if err != nil {
			return fmt.Errorf("read ticket %s: %w", id, err)
		}
		switch {
		case t.Edges.Connection.DisconnectedAt != nil:
			return refusal.New(refusal.Conflict, []string{"id"}, "PSA connection %q has been disconnected", t.Edges.Connection.Name)
		case t.State == ticket.StateDeleted:
			return refusal.New(refusal.Conflict, []string{"id"}, "the ticket was deleted in %s: createTicket makes another", t.Edges.Connection.Name)
		case t.State == ticket.StateSynced:
			out = t
			return nil
		}
		out, err = tx.Client.Ticket.UpdateOneID(id).SetState(ticket.StatePending).SetAttempts(0).SetNextAttemptAt(s.Now()).SetUpdatedAt(s.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("retry ticket %s: %w", id, err)
		}
		if err := s.tell(ctx, tx, t, event{kind: ticketevent.KindRetried, text: "To be tried at once.", by: scope.Principal.Name}); err != nil {
			return err
		}
		if err := s.Wake(ctx, tx, t.OrganizationID, t.ConnectionID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "retryTicket", TenantID: t.TenantID, ObjectID: id, Result: "OK"})
	})
	return out, err
}
