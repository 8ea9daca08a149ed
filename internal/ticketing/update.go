package ticketing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

// update tells the ticket the incident's title, severity and whether it is
// over, where they are others than it was told last. What people set in the PSA
// stays: Cairn speaks when the incident changes, and not because the ticket did.
func (v *visit) update(ctx context.Context, told map[incidentevent.Kind]bool) error {
	change := psa.Change{Settings: map[psa.Setting]string{}}
	var what []string
	title := titleOf(v.incident, v.adapter.Describe())
	if title != v.ticket.PushedTitle {
		change.Title = title
		what = append(what, "title")
	}
	if severity := string(v.incident.Severity); severity != v.ticket.PushedSeverity {
		if id := chosen(v.connection, priorityOf(v.incident.Severity)); id != "" {
			change.Settings[psa.SettingPriority] = id
			what = append(what, "priority for "+strings.ToLower(severity))
		}
	}
	closed := over(v.incident)
	switch {
	case closed && !v.ticket.PushedClosed && !v.ticket.ExternalClosed:
		if id := chosen(v.connection, StatusClosed); id != "" {
			change.Settings[psa.SettingStatus] = id
			what = append(what, "status: closed")
		}
	case !closed && v.ticket.ExternalClosed && (v.ticket.PushedClosed || told[incidentevent.KindFindingAdded] || told[incidentevent.KindReopened]):
		// Reopened, or news of an attack on a ticket that somebody had closed.
		if id := chosen(v.connection, StatusReopened); id != "" {
			change.Settings[psa.SettingStatus] = id
			what = append(what, "status: open again")
		}
	}
	written := func(u *ent.TicketUpdateOne) {
		u.SetPushedTitle(title).SetPushedSeverity(string(v.incident.Severity)).SetPushedClosed(closed)
	}
	if len(what) == 0 {
		if v.ticket.PushedSeverity == string(v.incident.Severity) && v.ticket.PushedClosed == closed {
			return nil
		}
		return v.save(ctx, written)
	}
	there, err := v.adapter.UpdateTicket(ctx, v.ticket.ExternalID, change)
	if err != nil {
		return v.goneOr(ctx, err)
	}
	return v.save(ctx, func(u *ent.TicketUpdateOne) {
		written(u)
		seen(u, there, v.Now())
	}, event{kind: ticketevent.KindUpdated, text: "Set on the ticket: " + strings.Join(what, ", ") + "."})
}

// goneOr marks the ticket deleted where the PSA does not know it any more.
func (v *visit) goneOr(ctx context.Context, err error) error {
	if !is(err, psa.ReasonNotFound) {
		return err
	}
	there, askErr := v.adapter.ReadTickets(ctx, []string{v.ticket.ExternalID})
	if askErr != nil {
		return askErr
	}
	if len(there) > 0 { // it is: something else was not found
		return err
	}
	return v.gone(ctx)
}

// gone marks the ticket deleted and ends the visit.
func (v *visit) gone(ctx context.Context) error {
	err := v.save(ctx, func(u *ent.TicketUpdateOne) { u.SetState(ticket.StateDeleted).ClearVerifyAt() }, event{
		kind: ticketevent.KindDeleted, inPSA: true,
		text: fmt.Sprintf("Ticket %s is not in %s any more. Cairn makes no other by itself: createTicket does.", numberOfRow(v.ticket), v.connection.Name),
	})
	return errors.Join(err, errGone)
}

// stillMine says within a transaction whether the claim is this worker's, and
// keeps it so until the transaction ends.
func (v *visit) stillMine(ctx context.Context, tx *database.Tx) error {
	mine, err := tx.Client.Ticket.Query().Where(ticket.ID(v.ticket.ID), ticket.Claim(v.ticket.Claim), locked).Exist(ctx)
	if err != nil {
		return err
	}
	if !mine {
		return errLostClaim
	}
	return nil
}
