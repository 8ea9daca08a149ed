package ticketing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

// do takes one step.
func (v *visit) do(ctx context.Context, st step) error {
	switch st.do {
	case actRead:
		return v.look(ctx)
	case actSearch:
		return v.search(ctx)
	case actNotes:
		return v.readNotes(ctx)
	case actCreate:
		return v.create(ctx)
	case actAdopt:
		return v.adopt(ctx, st.ticket)
	case actObserve:
		return v.observe(ctx, st)
	case actFollow:
		return v.follow(ctx, st.ticket)
	case actGone:
		return v.gone(ctx)
	case actNote:
		return v.addNote(ctx, st.note)
	case actNoted:
		return v.noted(ctx, st)
	case actReplies:
		return v.replies(ctx)
	case actUpdate:
		return v.update(ctx, st)
	case actTold:
		return v.told(ctx)
	case actDuplicate:
		return v.closeDuplicate(ctx, st.ticket)
	case actSettle:
		return v.settle(ctx)
	case actCancel:
		return v.cancel(ctx, st.why)
	case actWait, actLater, actDone: // they end the run
	}
	return nil
}

func (v *visit) search(ctx context.Context) error {
	found, err := v.adapter.FindTickets(ctx, v.ticket.ID)
	if err != nil {
		return err
	}
	v.seen.found, v.seen.searched = found, v.Now()
	return nil
}

func (v *visit) readNotes(ctx context.Context) error {
	notes, err := v.adapter.Notes(ctx, v.ticket.ExternalID)
	if err != nil {
		return err
	}
	v.seen.notes, v.seen.read = notes, v.Now()
	return nil
}

// createLimit is the making of tickets: some PSAs bear only so many at once.
const createLimit = "ticket creation"

// creating holds one of the places for making tickets in a connection, where its
// PSA bears only so many. What is made goes by the context returned.
func (s *Service) creating(ctx context.Context, c *ent.PSAConnection, d psa.Description) (held context.Context, free func(), err error) {
	if d.Limits.ParallelCreates == 0 {
		return ctx, func() {}, nil
	}
	return s.Work.Hold(ctx, createLimit, c.ID, c.OrganizationID, d.Limits.ParallelCreates, s.Pace.Lease)
}

// create makes the ticket.
func (v *visit) create(ctx context.Context) error {
	d := v.adapter.Describe()
	ctx, free, err := v.creating(ctx, v.connection, d)
	if err != nil {
		return err
	}
	defer free()
	title := titleOf(v.incident, d)
	opened := v.ticket.OpenedRevision
	if opened == 0 {
		opened = v.incident.Revision
	}
	s, err := v.begin(ctx, ticketstep.KindCreate, opened, title, func(u *ent.TicketUpdateOne) {
		u.SetOpenedRevision(opened).SetCompanyID(v.company.id).SetCompanyName(v.company.name)
	})
	if err != nil {
		return err
	}
	v.at("create begun")
	made, err := v.adapter.CreateTicket(ctx, psa.NewTicket{
		Reference: v.ticket.ID, Title: title, Description: v.description(d), Public: v.public(),
		CompanyID: v.company.id, Settings: newTicketSettings(v.connection, v.incident.Severity, d.Settings),
	})
	v.at("create called")
	if err != nil {
		return v.callFailed(ctx, s, err)
	}
	text := fmt.Sprintf("Ticket %s made in %s for company %q.", numberOf(made), v.connection.Name, v.company.name)
	return v.save(ctx, s, made.ID, func(u *ent.TicketUpdateOne) {
		v.known(u, made)
		u.SetPushedTitle(title).SetPushedSeverity(string(v.incident.Severity)).SetPushedClosed(false)
	}, event{kind: ticketevent.KindCreated, text: text})
}

// callFailed writes how a call failed and returns why. Where something was not
// there any more it is the ticket, or something else: the ticket is read once more.
func (v *visit) callFailed(ctx context.Context, s *ent.TicketStep, cause error) error {
	if err := v.failed(ctx, s, cause); err != nil {
		return err
	}
	if psa.Is(cause, psa.ReasonNotFound) && v.ticket.ExternalID != "" && !v.again {
		v.again, v.seen.ticket = true, nil
		return nil
	}
	return cause
}

// known writes what the PSA answered of a ticket. So what Cairn set itself is no
// news when a poll or a callback brings it again.
func (v *visit) known(u *ent.TicketUpdateOne, x psa.Ticket) {
	v.seen.ticket, v.seen.at = &x, v.Now()
	status := x.Settings[psa.SettingStatus]
	u.SetExternalID(x.ID).SetExternalNumber(x.Number).SetExternalURL(x.URL).SetExternalBoardID(x.Settings[psa.SettingBoard].ID).
		SetExternalStatus(status.Name).SetExternalStatusID(status.ID).SetExternalClosed(x.Closed).SetSeenAt(v.Now())
	if x.CompanyID != "" {
		u.SetCompanyID(x.CompanyID)
	}
}

// adopt takes a ticket that was found by the reference.
func (v *visit) adopt(ctx context.Context, x psa.Ticket) error {
	title, severity, opened := x.Title, "", v.ticket.OpenedRevision
	text := fmt.Sprintf("Ticket %s carries the incident's reference: Cairn goes on with it.", numberOf(x))
	for _, s := range v.steps { // what it was told when it was made
		if s.Kind == ticketstep.KindCreate {
			title, severity = s.Title, s.Severity
			text = fmt.Sprintf("Ticket %s is there: the call whose answer was lost had made it.", numberOf(x))
		}
	}
	if opened == 0 { // what its first text told is not known any more: it has all that was known by now
		opened = v.incident.Revision
	}
	return v.save(ctx, nil, "", func(u *ent.TicketUpdateOne) {
		v.known(u, x)
		// That somebody has closed it meanwhile is told by the next step.
		u.SetExternalClosed(false).SetOpenedRevision(opened).
			SetPushedTitle(title).SetPushedSeverity(severity).SetPushedClosed(false).SetClosedRevision(opened)
	}, event{kind: ticketevent.KindFound, text: text})
}

// update sets what has to be set.
func (v *visit) update(ctx context.Context, st step) error {
	title := titleOf(v.incident, v.adapter.Describe())
	s, err := v.begin(ctx, ticketstep.KindUpdate, v.incident.Revision, title, nil)
	if err != nil {
		return err
	}
	v.at("update begun")
	x, err := v.adapter.UpdateTicket(ctx, v.ticket.ExternalID, st.change)
	v.at("update called")
	if err != nil {
		return v.callFailed(ctx, s, err)
	}
	return v.save(ctx, s, x.ID, func(u *ent.TicketUpdateOne) {
		v.known(u, x)
		v.pushed(u)
	}, event{kind: ticketevent.KindUpdated, text: "Set on the ticket: " + strings.Join(st.what, ", ") + "."})
}

// pushed writes that the ticket tells the incident as it is.
func (v *visit) pushed(u *ent.TicketUpdateOne) {
	u.SetPushedTitle(titleOf(v.incident, v.adapter.Describe())).SetPushedSeverity(string(v.incident.Severity)).
		SetPushedClosed(over(v.incident)).SetClosedRevision(v.incident.Revision)
}

func (v *visit) told(ctx context.Context) error {
	return v.settled(ctx, ticketstep.KindUpdate, v.pushed)
}

// settle writes that no other ticket carries the reference.
func (v *visit) settle(ctx context.Context) error {
	return v.settled(ctx, ticketstep.KindCreate, func(u *ent.TicketUpdateOne) { u.SetDoubled(false) })
}

func (v *visit) settled(ctx context.Context, kind ticketstep.Kind, set func(*ent.TicketUpdateOne)) error {
	// Of those calls alone that were known when the PSA was read.
	steps := facts{steps: v.steps}.open(kind)
	now, last := v.Now(), facts{steps: v.steps, pace: v.Pace}.verifiedAt(steps)
	return v.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if kind != ticketstep.KindCreate || !now.Before(last) {
			if err := settleSteps(ctx, tx, steps); err != nil {
				return err
			}
		}
		return v.write(ctx, tx, nil, "", set)
	})
}

// cancel writes that no ticket is needed.
func (v *visit) cancel(ctx context.Context, why string) error {
	return v.save(ctx, nil, "", func(u *ent.TicketUpdateOne) { u.SetState(ticket.StateCancelled) }, event{kind: ticketevent.KindCancelled, text: why})
}

// closeDuplicate closes a ticket that the PSA made after Cairn had stopped
// waiting for it. Its reference goes, so that it is not found again; that makes
// the two calls one that can be repeated.
func (v *visit) closeDuplicate(ctx context.Context, x psa.Ticket) error {
	change := psa.Change{Reference: v.ticket.ID + " duplicate", Settings: map[psa.Setting]string{}}
	if id := chosen(v.connection, StatusClosed); id != "" {
		change.Settings[psa.SettingStatus] = id
	}
	if _, err := v.adapter.UpdateTicket(ctx, x.ID, change); err != nil {
		return err
	}
	v.at("duplicate closed")
	text := fmt.Sprintf("This ticket is a duplicate of %s: the PSA made it after Cairn had stopped waiting for the answer. Cairn closes it.", numberOfRow(v.ticket))
	if _, err := v.adapter.AddNote(ctx, x.ID, psa.NewNote{Text: text, Internal: true, Settings: noteSettings(v.connection, true)}); err != nil {
		v.Logger.WarnContext(ctx, "a duplicate ticket was closed, and could not be told why", "ticket", v.ticket.ID, "external_id", x.ID, "error", err)
	}
	v.seen.found, v.seen.searched = nil, time.Time{} // it looks different now
	return v.save(ctx, nil, "", func(*ent.TicketUpdateOne) {}, event{
		kind: ticketevent.KindDuplicateClosed, text: fmt.Sprintf("Ticket %s was closed: a duplicate that the PSA had made late.", numberOf(x)),
	})
}

// numberOf names a ticket as people of the PSA do.
func numberOf(t psa.Ticket) string {
	if t.Number != "" {
		return "#" + t.Number
	}
	return "#" + t.ID
}

func numberOfRow(t *ent.Ticket) string {
	return numberOf(psa.Ticket{ID: t.ExternalID, Number: t.ExternalNumber})
}
