package ticketing

import (
	"context"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
)

// read reads the row, the incident and the journal afresh; what was seen in the
// PSA stays.
func (v *visit) read(ctx context.Context) error {
	db := v.DB.Client()
	t, err := db.Ticket.Query().Where(ticket.ID(v.claim.ID)).WithConnection().Only(ctx)
	if err != nil {
		return fmt.Errorf("read ticket %s: %w", v.claim.ID, err)
	}
	v.ticket, v.connection = t, t.Edges.Connection
	if v.incident, err = db.Incident.Query().Where(incident.ID(t.IncidentID)).WithTenant().WithAccount().Only(ctx); err != nil {
		return fmt.Errorf("read incident %s: %w", t.IncidentID, err)
	}
	v.steps, err = db.TicketStep.Query().Where(ticketstep.TicketID(t.ID)).Order(ticketstep.ByBeganAt(), ticketstep.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the journal of ticket %s: %w", t.ID, err)
	}
	v.events = nil
	if t.ExternalID == "" {
		return nil
	}
	v.events, err = db.IncidentEvent.Query().Where(
		incidentevent.IncidentID(t.IncidentID), incidentevent.SequenceGT(t.OpenedRevision),
		incidentevent.SequenceLTE(v.incident.Revision), incidentevent.KindNotIn(untold...),
	).Order(incidentevent.BySequence()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the events of incident %s: %w", t.IncidentID, err)
	}
	return nil
}

// untold are the events that no note tells: what the ticket's first text does,
// and what was said in a PSA, where it stands.
var untold = []incidentevent.Kind{incidentevent.KindOpened, incidentevent.KindNoted, incidentevent.KindAsked}

// begin writes that a call is about to be made: from here on it may have been,
// whatever happens. opening is called in the same transaction.
func (v *visit) begin(ctx context.Context, kind ticketstep.Kind, sequence int, title string, opening func(u *ent.TicketUpdateOne)) (*ent.TicketStep, error) {
	var made *ent.TicketStep
	err := v.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if opening != nil {
			u := tx.Client.Ticket.UpdateOneID(v.ticket.ID)
			opening(u)
			if err := u.Exec(ctx); err != nil {
				return err
			}
		}
		made, err = tx.Client.TicketStep.Create().SetOrganizationID(v.ticket.OrganizationID).SetTenantID(v.ticket.TenantID).SetTicketID(v.ticket.ID).
			SetKind(kind).SetFence(v.claim.Fence).SetBeganAt(v.Now()).SetSequence(sequence).
			SetTitle(title).SetSeverity(string(v.incident.Severity)).SetClosed(over(v.incident)).Save(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin a step of ticket %s: %w", v.ticket.ID, err)
	}
	return made, nil
}

// finishWithin is how long the end of a call may take to be written where the
// run is over.
const finishWithin = 5 * time.Second

// failed writes that a call failed, and whether it may have been done. It is
// written though the run may be over: the end of the call is what waiting counts from.
func (v *visit) failed(ctx context.Context, s *ent.TicketStep, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	outcome := ticketstep.OutcomeNotDone
	if maybeDone(cause) {
		outcome = ticketstep.OutcomeUnclear
	}
	err := v.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.TicketStep.UpdateOne(s).SetOutcome(outcome).SetEndedAt(v.Now()).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("write how a step of ticket %s failed: %w", v.ticket.ID, err)
	}
	return nil
}

// save writes what a step did and tells of it, as long as the claim holds. s is
// the step that is done, nil where there was none.
func (v *visit) save(ctx context.Context, s *ent.TicketStep, externalID string, set func(*ent.TicketUpdateOne), events ...event) error {
	err := v.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return v.write(ctx, tx, s, externalID, set, events...)
	})
	if err != nil {
		return fmt.Errorf("write a step of ticket %s: %w", v.ticket.ID, err)
	}
	return nil
}

func (v *visit) write(
	ctx context.Context, tx *database.Tx, s *ent.TicketStep, externalID string, set func(*ent.TicketUpdateOne), events ...event,
) error {
	if s != nil {
		err := tx.Client.TicketStep.UpdateOne(s).SetOutcome(ticketstep.OutcomeDone).SetEndedAt(v.Now()).SetExternalID(externalID).Exec(ctx)
		if err != nil {
			return err
		}
	}
	u := tx.Client.Ticket.UpdateOneID(v.ticket.ID).SetUpdatedAt(v.Now())
	set(u)
	if err := u.Exec(ctx); err != nil {
		return err
	}
	return v.tell(ctx, tx, v.ticket, events...)
}

// settleSteps writes that calls of unknown outcome have been looked after.
func settleSteps(ctx context.Context, tx *database.Tx, steps []*ent.TicketStep) error {
	for _, s := range steps {
		if err := tx.Client.TicketStep.UpdateOne(s).SetOutcome(ticketstep.OutcomeSettled).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// event is something that is to be told of a ticket.
type event struct {
	kind  ticketevent.Kind
	text  string
	by    string // empty: Cairn
	inPSA bool
}

// tell writes events of a ticket, and has whoever shows it look again.
func (s *Service) tell(ctx context.Context, tx *database.Tx, t *ent.Ticket, events ...event) error {
	now := s.Now()
	rows := make([]*ent.TicketEventCreate, len(events))
	for n, e := range events {
		if e.by == "" && !e.inPSA {
			e.by = "Cairn"
		}
		rows[n] = tx.Client.TicketEvent.Create().SetOrganizationID(t.OrganizationID).SetTenantID(t.TenantID).SetTicketID(t.ID).
			SetAt(now).SetKind(e.kind).SetInPsa(e.inPSA).SetBy(e.by).SetText(e.text)
	}
	if err := tx.Client.TicketEvent.CreateBulk(rows...).Exec(ctx); err != nil {
		return fmt.Errorf("tell of ticket %s: %w", t.ID, err)
	}
	s.Feed.Note(tx, change.Change{OrganizationID: t.OrganizationID, TenantID: t.TenantID, What: change.Ticket, ObjectID: t.ID})
	return nil
}
