package ticketing

import (
	"context"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
)

// create makes the ticket, or finds the one that an attempt of unknown outcome made.
func (v *visit) create(ctx context.Context) error {
	if chosen(v.connection, Board) == "" {
		return waits{fmt.Sprintf("PSA connection %q has no board chosen for tickets: choose one (updatePsaConnection), and the ticket is made.", v.connection.Name)}
	}
	companyID, companyName, err := v.company(ctx)
	if err != nil {
		return err
	}
	unclear := v.ticket.AttemptedAt
	if unclear != nil {
		there, err := v.adapter.FindTickets(ctx, v.ticket.ID)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			text := fmt.Sprintf("Ticket %s is there: the attempt whose answer was lost had made it.", numberOf(there[0]))
			return v.adopt(ctx, there[0], event{kind: ticketevent.KindFound, text: text})
		}
		if until := unclear.Add(v.Pace.Settle); v.Now().Before(until) {
			return later{until}
		}
	}
	opened := v.ticket.OpenedRevision
	if opened == 0 {
		opened = v.incident.Revision
	}
	// From here on the ticket may be there, whatever happens.
	err = v.save(ctx, func(u *ent.TicketUpdateOne) {
		u.SetAttemptedAt(v.Now()).SetOpenedRevision(opened).SetCompanyID(companyID).SetCompanyName(companyName)
	})
	if err != nil {
		return err
	}
	d := v.adapter.Describe()
	title := titleOf(v.incident, d)
	made, err := v.adapter.CreateTicket(ctx, psa.NewTicket{
		Reference: v.ticket.ID, Title: title, Description: v.description(d),
		CompanyID: companyID, Settings: newTicketSettings(v.connection, v.incident.Severity),
	})
	if err != nil {
		if !maybeDone(err) {
			if err := v.save(ctx, func(u *ent.TicketUpdateOne) { u.SetNillableAttemptedAt(unclear); clearIfNil(u, unclear) }); err != nil {
				return err
			}
		}
		return err
	}
	created := event{kind: ticketevent.KindCreated, text: fmt.Sprintf("Ticket %s made in %s for company %q.", numberOf(made), v.connection.Name, companyName)}
	if unclear == nil {
		return v.adopt(ctx, made, created)
	}
	if err := v.adopt(ctx, made, created); err != nil {
		return err
	}
	return v.verifyLater(ctx)
}

// clearIfNil undoes the mark of an attempt that certainly was not done, and
// leaves that of an earlier one whose outcome is not known.
func clearIfNil(u *ent.TicketUpdateOne, unclear *time.Time) {
	if unclear == nil {
		u.ClearAttemptedAt()
	}
}

// adopt takes a ticket of the PSA as this one's.
func (v *visit) adopt(ctx context.Context, there psa.Ticket, how event) error {
	unclear := how.kind == ticketevent.KindFound
	return v.save(ctx, func(u *ent.TicketUpdateOne) {
		u.SetExternalID(there.ID).ClearAttemptedAt().
			SetPushedTitle(there.Title).SetPushedSeverity(string(v.incident.Severity)).SetPushedClosed(false)
		seen(u, there, v.Now())
		if unclear {
			u.SetVerifyAt(v.Now().Add(v.Pace.Verify))
		}
	}, how)
}

func (v *visit) verifyLater(ctx context.Context) error {
	return v.save(ctx, func(u *ent.TicketUpdateOne) { u.SetVerifyAt(v.Now().Add(v.Pace.Verify)) })
}

// closeDuplicates looks for tickets that attempts of unknown outcome made after
// all, and closes all but the one that is kept.
func (v *visit) closeDuplicates(ctx context.Context) error {
	there, err := v.adapter.FindTickets(ctx, v.ticket.ID)
	if err != nil {
		return err
	}
	for _, x := range there {
		if x.ID == v.ticket.ExternalID || x.Closed || x.MergedIn != "" {
			continue
		}
		if err := v.closeDuplicate(ctx, x); err != nil {
			return err
		}
	}
	return v.save(ctx, func(u *ent.TicketUpdateOne) { u.ClearVerifyAt() })
}

func (v *visit) closeDuplicate(ctx context.Context, x psa.Ticket) error {
	text := fmt.Sprintf("This ticket is a duplicate of %s: the PSA made it after Cairn had stopped waiting for the answer. Cairn closes it.", numberOfRow(v.ticket))
	if _, err := v.adapter.AddNote(ctx, x.ID, psa.NewNote{Text: text, Internal: true}); err != nil && !maybeDone(err) {
		return err
	}
	// Another reference, so that it is not found as the incident's ticket again.
	change := psa.Change{Reference: v.ticket.ID + " duplicate", Settings: map[psa.Setting]string{}}
	if id := chosen(v.connection, StatusClosed); id != "" {
		change.Settings[psa.SettingStatus] = id
	}
	if _, err := v.adapter.UpdateTicket(ctx, x.ID, change); err != nil {
		return err
	}
	return v.save(ctx, func(*ent.TicketUpdateOne) {}, event{
		kind: ticketevent.KindDuplicateClosed,
		text: fmt.Sprintf("Ticket %s was closed: a duplicate that the PSA had made late.", numberOf(x)),
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
