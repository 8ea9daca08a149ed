package ticketing

import (
	"context"
	"fmt"

	entsql "entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/literal"
)

// look reads the ticket.
func (v *visit) look(ctx context.Context) error {
	x, err := v.adapter.ReadTicket(ctx, v.ticket.ExternalID)
	if psa.Is(err, psa.ReasonNotFound) {
		return v.missing(ctx)
	}
	if err != nil {
		return err
	}
	v.seen.ticket, v.seen.at = &x, v.Now()
	return nil
}

// compared is how many other tickets are asked for where one is missing.
const compared = 3

// missing finds out whether a ticket that the PSA does not know is gone: it is
// where another one is still shown. A narrowed role hides tickets in the same words.
func (v *visit) missing(ctx context.Context) error {
	others, err := v.DB.Client().Ticket.Query().Where(
		ticket.ConnectionID(v.connection.ID), ticket.ExternalIDNEQ(""), ticket.ExternalIDNEQ(v.ticket.ExternalID), ticket.StateNEQ(ticket.StateDeleted),
	).Order(ticket.BySeenAt(entsql.OrderDesc()), ticket.ByID()).Limit(compared).All(ctx)
	if err != nil {
		return fmt.Errorf("read other tickets of PSA connection %s: %w", v.connection.ID, err)
	}
	hidden := &psa.Error{Reason: psa.ReasonPermission, Doing: "read ticket " + numberOfRow(v.ticket), Retryable: true}
	if len(others) == 0 {
		hidden.Message = "it is not shown any more, and there is no other ticket to tell whether it was deleted or the role was narrowed"
		return hidden
	}
	ids := make([]string, len(others))
	for i, t := range others {
		ids[i] = t.ExternalID
	}
	shown, err := v.adapter.ReadTickets(ctx, ids)
	if err != nil && !psa.Is(err, psa.ReasonNotFound) {
		return err
	}
	if len(shown) == 0 {
		hidden.Message = "neither it nor any other ticket of Cairn's is shown any more: was the role of the credentials narrowed?"
		return hidden
	}
	v.seen.gone = true
	return nil
}

// gone marks the ticket deleted.
func (v *visit) gone(ctx context.Context) error {
	return v.save(ctx, nil, "", func(u *ent.TicketUpdateOne) { u.SetState(ticket.StateDeleted) }, event{
		kind: ticketevent.KindDeleted, inPSA: true,
		text: fmt.Sprintf("Ticket %s is not in %s any more. Cairn makes no other by itself: createTicket does.", numberOfRow(v.ticket), v.connection.Name),
	})
}

// follow goes on with the ticket that ours was merged into. It is somebody
// else's: Cairn adds notes there, and leaves title, priority and status alone.
func (v *visit) follow(ctx context.Context, merged psa.Ticket) error {
	x, err := v.adapter.ReadTicket(ctx, merged.MergedIn)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Ticket %s was merged into %s. From here on Cairn adds its notes there, and sets nothing.", numberOf(merged), numberOf(x))
	return v.save(ctx, nil, "", func(u *ent.TicketUpdateOne) {
		v.known(u, x)
		u.SetMerged(true)
	}, event{kind: ticketevent.KindMerged, inPSA: true, by: merged.ChangedBy.Name, text: text})
}

// observe writes down what is seen of the ticket, and what people did to it.
func (v *visit) observe(ctx context.Context, st step) error {
	x, t := st.ticket, v.ticket
	status := literal.Text(x.Settings[psa.SettingStatus].Name)
	e := event{kind: ticketevent.KindStatusChanged, inPSA: true, by: x.ChangedBy.Name}
	var events []event
	var does consequence
	closed := x.Closed && !t.ExternalClosed
	switch {
	case closed && st.ours:
		events = append(events, event{kind: ticketevent.KindUpdated, text: "The ticket is closed: the call whose answer was lost had closed it."})
	case closed:
		does = v.closing(x)
		e.kind, e.by, e.text = ticketevent.KindClosed, does.by, does.text
		events = append(events, e)
	case !x.Closed && t.ExternalClosed && st.ours:
		events = append(events, event{kind: ticketevent.KindUpdated, text: "The ticket is open: the call whose answer was lost had opened it."})
	case !x.Closed && t.ExternalClosed:
		e.kind, e.text = ticketevent.KindReopened, fmt.Sprintf("Ticket %s was opened again (%s).", numberOf(x), status)
		events = append(events, e)
	case x.Settings[psa.SettingStatus].ID != t.ExternalStatusID:
		e.text = fmt.Sprintf("Status of ticket %s: %s.", numberOf(x), status)
		events = append(events, e)
	}
	companyName := t.CompanyName
	if x.CompanyID != "" && t.CompanyID != "" && x.CompanyID != t.CompanyID {
		companyName = v.companyName(ctx, x.CompanyID)
		events = append(events, event{
			kind: ticketevent.KindMoved, inPSA: true, by: x.ChangedBy.Name,
			text: fmt.Sprintf("Ticket %s was moved to company %s.", numberOf(x), companyName),
		})
	}
	if board := x.Settings[psa.SettingBoard]; t.ExternalBoardID != "" && board.ID != t.ExternalBoardID {
		events = append(events, event{
			kind: ticketevent.KindMoved, inPSA: true, by: x.ChangedBy.Name,
			text: fmt.Sprintf("Ticket %s was moved to %s.", numberOf(x), literal.Text(board.Name)),
		})
	}
	v.at("observed")
	return v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		// It locks the incident, and so it comes first.
		if err := v.apply(ctx, does); err != nil {
			return err
		}
		if err := v.claim.Check(ctx, tx); err != nil {
			return err
		}
		return v.write(ctx, tx, nil, "", func(u *ent.TicketUpdateOne) {
			v.known(u, x)
			u.SetCompanyName(companyName)
			if closed && !st.ours {
				u.SetClosedRevision(t.SyncedRevision)
			}
		}, events...)
	})
}

// consequence is what a ticket's being closed by somebody means.
type consequence struct {
	by, text   string
	remediated string // why the incident is, "" where it is not by this
	asks       bool   // whether it is, a person has to say
}

// closing says what it means. Staff's word counts, by the connection's setting;
// a rule's or the company's does not.
func (v *visit) closing(x psa.Ticket) consequence {
	who := x.ClosedBy
	if who.Kind == psa.AuthorUnknown {
		who = x.ChangedBy
	}
	c := consequence{by: who.Name, text: fmt.Sprintf("Ticket %s was closed (%s).", numberOf(x), literal.Text(x.Settings[psa.SettingStatus].Name))}
	switch {
	case over(v.incident):
	case v.ticket.Merged || who.Kind != psa.AuthorStaff || v.connection.OnClose == psaconnection.OnCloseNothing:
		c.text += " The incident stays as it is."
	case v.connection.OnClose == psaconnection.OnCloseRemediate:
		c.text += " The incident is remediated, as the connection's setting has it."
		c.remediated = fmt.Sprintf("%s closed its ticket %s in %s.", literal.Text(who.Name), numberOf(x), v.connection.Name)
	default:
		c.text += " Is the incident dealt with? Then mark it remediated (updateIncident); else open the ticket again."
		c.asks = true
	}
	return c
}

// apply does to the incident what a ticket's being closed does.
func (v *visit) apply(ctx context.Context, c consequence) error {
	switch {
	case c.remediated != "":
		return v.Remediate(ctx, v.incident.ID, c.remediated)
	case c.asks && v.Tell != nil:
		return v.Tell(ctx, v.incident.ID, incidents.Note{
			Kind: incidentevent.KindAsked, By: literal.Text(c.by), Text: c.text, Internal: true, TicketID: v.ticket.ID,
		})
	}
	return nil
}

// companyName is the name of a company, or its id where it can't be had now.
func (v *visit) companyName(ctx context.Context, id string) string {
	company, err := v.adapter.Company(ctx, id)
	if err != nil {
		return id
	}
	return literal.Text(company.Name)
}
