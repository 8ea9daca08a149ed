package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/companymapping"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

var psaConnectionOrder = order[*ent.PSAConnection]{
	list: "psaConnections", column: psaconnection.FieldCreatedAt, kind: cursor.Moment,
	place: func(c *ent.PSAConnection) cursor.Place { return cursor.Place{Key: c.CreatedAt, ID: c.ID} },
}

var ticketOrder = order[*ent.Ticket]{
	list: "tickets", column: ticket.FieldCreatedAt, kind: cursor.Moment, descending: true,
	place: func(t *ent.Ticket) cursor.Place { return cursor.Place{Key: t.CreatedAt, ID: t.ID} },
}

var ticketEventOrder = order[*ent.TicketEvent]{
	list: "ticketEvents", column: ticketevent.FieldAt, kind: cursor.Moment,
	place: func(e *ent.TicketEvent) cursor.Place { return cursor.Place{Key: e.At, ID: e.ID} },
}

// ticketIDPrefix is the type prefix of tickets' ids.
const ticketIDPrefix = ticketing.IDPrefix

// deskLoaders makes the loaders of PSA connections and tickets.
func (l *loaders) deskLoaders(client *ent.Client) {
	l.psaConnections = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.PSAConnection, error) {
		list, err := client.PSAConnection.Query().Where(psaconnection.IDIn(ids...)).All(ctx)
		return byID("PSA connections", list, err, func(c *ent.PSAConnection) string { return c.ID }, l.sawPSAConnections)
	})
	l.tickets = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Ticket, error) {
		list, err := client.Ticket.Query().Where(ticket.IDIn(ids...)).All(ctx)
		return byID("tickets", list, err, func(t *ent.Ticket) string { return t.ID }, l.sawTickets)
	})
	l.ticketsOf = newLoader(func(ctx context.Context, incidents []string) (map[string][]*ent.Ticket, error) {
		list, err := client.Ticket.Query().Where(ticket.IncidentIDIn(incidents...)).Order(ticket.ByCreatedAt(), ticket.ByID()).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read tickets of incidents: %w", err)
		}
		l.sawTickets(list...)
		out := map[string][]*ent.Ticket{}
		for _, id := range incidents {
			out[id] = []*ent.Ticket{}
		}
		for _, t := range list {
			out[t.IncidentID] = append(out[t.IncidentID], t)
		}
		return out, nil
	})
	l.mappings = newLoader(func(ctx context.Context, connections []string) (map[string][]*ent.CompanyMapping, error) {
		list, err := client.CompanyMapping.Query().Where(companymapping.ConnectionIDIn(connections...)).Order(companymapping.ByTenantID()).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read company mappings: %w", err)
		}
		out := map[string][]*ent.CompanyMapping{}
		for _, id := range connections {
			out[id] = []*ent.CompanyMapping{}
		}
		for _, m := range list {
			l.tenants.expect(m.TenantID)
			out[m.ConnectionID] = append(out[m.ConnectionID], m)
		}
		return out, nil
	})
	l.ticketEventPages = newPageLoaders(func(ctx context.Context, tickets []string, p page) (map[string][]*ent.TicketEvent, error) {
		list, err := client.TicketEvent.Query().
			Where(ticketevent.TicketIDIn(tickets...), ticketEventOrder.firstOfEach(ticketevent.Table, ticketevent.FieldTicketID, tickets, p)).
			Order(ticketEventOrder.by(page{})).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read events of tickets: %w", err)
		}
		out := map[string][]*ent.TicketEvent{}
		for _, e := range list {
			out[e.TicketID] = append(out[e.TicketID], e)
		}
		return out, nil
	})
	l.ticketEventCounts = newLoader(func(ctx context.Context, tickets []string) (map[string]int, error) {
		var rows []struct {
			TicketID string `sql:"ticket_id"`
			Count    int    `sql:"count"`
		}
		err := client.TicketEvent.Query().Where(ticketevent.TicketIDIn(tickets...)).
			GroupBy(ticketevent.FieldTicketID).Aggregate(ent.Count()).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("count events of tickets: %w", err)
		}
		out := make(map[string]int, len(rows))
		for _, r := range rows {
			out[r.TicketID] = r.Count
		}
		return out, nil
	})
}

func (l *loaders) sawPSAConnections(list ...*ent.PSAConnection) {
	for _, c := range list {
		l.mappings.expect(c.ID)
	}
}

func (l *loaders) sawTickets(list ...*ent.Ticket) {
	for _, t := range list {
		l.tenants.expect(t.TenantID)
		l.incidents.expect(t.IncidentID)
		l.psaConnections.expect(t.ConnectionID)
		l.ticketEventPages.expect(t.ID)
		l.ticketEventCounts.expect(t.ID)
	}
}

func ticketFilter(f *model.TicketFilter, tenantIDs []string) (ps []predicate.Ticket, err error) {
	if f == nil {
		return nil, nil
	}
	for _, err := range []error{checkList("connectionIds", f.ConnectionIds), checkList("incidentIds", f.IncidentIds)} {
		if err != nil {
			return nil, err
		}
	}
	if f.States != nil {
		ps = append(ps, ticket.StateIn(f.States...))
	}
	if f.TenantIds != nil {
		ps = append(ps, ticket.TenantIDIn(tenantIDs...))
	}
	if f.ConnectionIds != nil {
		ps = append(ps, ticket.ConnectionIDIn(wellFormed(ticketing.ConnectionPrefix, f.ConnectionIds)...))
	}
	if f.IncidentIds != nil {
		ps = append(ps, ticket.IncidentIDIn(f.IncidentIds...))
	}
	return ps, nil
}

// tenantID turns an id of a tenant, Cairn's or Microsoft's, into Cairn's; one
// that names none stays as it is, and will not be found.
func (r *Resolver) tenantID(ctx context.Context, ref string) (string, error) {
	ids, err := r.tenantIDs(ctx, "tenantId", []string{ref})
	if err != nil || len(ids) == 0 {
		return ref, err
	}
	return ids[0], nil
}

// psaFailure tells why a PSA did not answer, where the PSA told.
func psaFailure(c *ent.PSAConnection, err error) error {
	if failed, ok := errors.AsType[*psa.Error](err); ok {
		return refusal.New(refusal.Invalid, nil, "%s: %s", c.Name, failed.Message)
	}
	return err
}

func valuesOf(list []*model.PsaValueInput) map[string]string {
	if list == nil {
		return nil
	}
	out := make(map[string]string, len(list))
	for _, v := range list {
		out[v.Name] = v.Value
	}
	return out
}

func settingsOf(list []*model.PsaValueInput) map[ticketing.Setting]string {
	if list == nil {
		return nil
	}
	out := make(map[ticketing.Setting]string, len(list))
	for _, v := range list {
		out[ticketing.Setting(v.Name)] = v.Value
	}
	return out
}

// given is null for an empty text.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}
