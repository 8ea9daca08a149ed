package ticketing

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// behindIncident is for tickets whose incident has changed since they were in step.
func behindIncident(s *sql.Selector) {
	i := sql.Table(incident.Table)
	s.Where(sql.Exists(sql.Select(i.C(incident.FieldID)).From(i).Where(sql.And(
		sql.ColumnsEQ(i.C(incident.FieldID), s.C(ticket.FieldIncidentID)),
		sql.ColumnsGT(i.C(incident.FieldRevision), s.C(ticket.FieldSyncedRevision)),
	))))
}

// CreateFor asks for an incident's ticket in a connection: for a past incident,
// or where the ticket was deleted in the PSA. Where there is one, it is returned
// as it is. Refusals: no such incident or connection (NOT_FOUND); a tenant
// whose incidents go elsewhere (CONFLICT).
func (s *Service) CreateFor(ctx context.Context, incidentID, connectionID string) (*ent.Ticket, error) {
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
		if !leadsHere(c, i.TenantID) {
			return refusal.New(refusal.Conflict, []string{"connectionId"}, "no route leads from the incident's tenant to %s: change its routes (updatePsaConnection)", c.Name)
		}
		t, err := tx.Client.Ticket.Query().Where(ticket.ID(idOf(i.ID, c)), locked).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			err = s.request(ctx, tx, i, c, "Asked for by "+scope.Principal.Name+".")
		case err == nil && t.State == ticket.StateDeleted:
			err = s.begin(ctx, tx, t, i, scope.Principal.Name)
		case err == nil:
			out = t
			return nil
		}
		if err != nil {
			return err
		}
		if out, err = tx.Client.Ticket.Query().Where(ticket.ID(idOf(i.ID, c))).Only(ctx); err != nil {
			return fmt.Errorf("read the ticket: %w", err)
		}
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "createTicket", TenantID: i.TenantID, ObjectID: out.ID, Result: "OK", Detail: c.Name})
	})
	return out, err
}

// begin has a ticket that was deleted in the PSA made once more. Calls of unknown
// outcome stay in the journal: what they made late is found.
func (s *Service) begin(ctx context.Context, tx *database.Tx, t *ent.Ticket, i *ent.Incident, by string) error {
	_, err := tx.Client.TicketStep.Delete().Where(ticketstep.TicketID(t.ID),
		ticketstep.Or(ticketstep.KindNEQ(ticketstep.KindCreate), ticketstep.OutcomeNotIn(ticketstep.OutcomeBegun, ticketstep.OutcomeUnclear))).Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin ticket %s again: %w", t.ID, err)
	}
	err = tx.Client.Ticket.UpdateOne(t).SetState(ticket.StatePending).SetWantedRevision(i.Revision).SetOpenedRevision(0).SetSyncedRevision(0).
		SetPushedClosed(false).SetPushedTitle("").SetPushedSeverity("").SetMerged(false).SetClosedRevision(0).SetDoubled(false).ClearNotesAsOf().
		SetExternalID("").SetExternalNumber("").SetExternalURL("").SetExternalStatus("").SetExternalStatusID("").SetExternalBoardID("").SetExternalClosed(false).
		SetLastError("").SetLastErrorReason("").ClearLastErrorAt().SetUpdatedAt(s.Now()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin ticket %s again: %w", t.ID, err)
	}
	if err := s.Work.Restart(ctx, tx, tickets, t.ID); err != nil {
		return err
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
		if out, err = tx.Client.Ticket.UpdateOneID(id).SetState(ticket.StatePending).SetUpdatedAt(s.Now()).Save(ctx); err != nil {
			return fmt.Errorf("retry ticket %s: %w", id, err)
		}
		if err := s.Work.Restart(ctx, tx, tickets, id); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, t, event{kind: ticketevent.KindRetried, text: "To be tried at once.", by: scope.Principal.Name}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "retryTicket", TenantID: t.TenantID, ObjectID: id, Result: "OK"})
	})
	return out, err
}

// SendTestTicket makes a ticket that says that it is a test, adds a note, and
// closes it where a status for that is chosen: it shows the rights that only a
// write shows. company "" is the default company. Refusals: no such connection
// (NOT_FOUND), what the PSA says no to (INVALID).
func (s *Service) SendTestTicket(ctx context.Context, connectionID, company string) (*ent.PSAConnection, psa.Ticket, error) {
	c, err := s.find(ctx, connectionID)
	if err != nil {
		return nil, psa.Ticket{}, err
	}
	if company == "" {
		company = c.DefaultCompanyID
	}
	if company == "" {
		return nil, psa.Ticket{}, refusal.New(refusal.Invalid, []string{"companyId"}, "name a company, or set a default one for %s", c.Name)
	}
	adapter, err := s.Adapter(c)
	if err != nil {
		return nil, psa.Ticket{}, err
	}
	d := adapter.Describe()
	if label := missing(d.Settings, c.Settings); label != "" {
		return nil, psa.Ticket{}, refusal.New(refusal.Conflict, []string{"id"}, "%s wants a %s for every ticket: choose one", c.Name, label)
	}
	creating, free, err := s.creating(ctx, c, d)
	if err != nil {
		return nil, psa.Ticket{}, err
	}
	made, err := adapter.CreateTicket(creating, psa.NewTicket{
		Reference: typeid.New(IDPrefix), Title: cut("Test ticket from Cairn", d.TitleLimit),
		Description: "Cairn can make tickets here. Nothing has happened: close or delete this one.",
		CompanyID:   company, Settings: newTicketSettings(c, detect.SeverityLow, d.Settings),
	})
	free()
	if err != nil {
		return nil, psa.Ticket{}, refuse([]string{"id"}, c, err)
	}
	note := psa.NewNote{Text: "Cairn can add notes here.", Internal: true, Settings: noteSettings(c, true)}
	if _, err := adapter.AddNote(ctx, made.ID, note); err != nil {
		return nil, made, refuse([]string{"id"}, c, err)
	}
	if id := chosen(c, StatusClosed); id != "" {
		made, err = adapter.UpdateTicket(ctx, made.ID, psa.Change{Settings: map[psa.Setting]string{psa.SettingStatus: id}})
		if err != nil {
			return nil, made, refuse([]string{"id"}, c, err)
		}
	}
	return c, made, s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "sendTestTicket", ObjectID: c.ID, Result: "OK", Detail: c.Name + " " + numberOf(made)})
	})
}
