package ticketing

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Routes say which tenants' incidents become tickets in a connection. Changing
// them moves no ticket: what is in a PSA stays there and is followed on, and an
// incident from before that has its ticket somewhere gets no second one. What
// was only wanted, and is in no PSA yet, goes where the routes lead now.
type Routes struct {
	Which   psaconnection.Routes // "" for ALL
	Tenants []string             // ids: those it goes by
}

// route checks routes and puts them into the connection. Refusals: no such
// tenant (NOT_FOUND); tenants that say nothing, or none where there must be some
// (INVALID).
func (s *Service) route(ctx context.Context, c *ent.PSAConnection, r Routes) error {
	if r.Which == "" {
		r.Which = psaconnection.DefaultRoutes
	}
	slices.Sort(r.Tenants)
	ids := slices.Compact(r.Tenants)
	switch {
	case psaconnection.RoutesValidator(r.Which) != nil:
		return refusal.New(refusal.Invalid, []string{"routes", "which"}, "routes are ALL, ONLY or EXCEPT")
	case r.Which == psaconnection.RoutesAll && len(ids) > 0:
		return refusal.New(refusal.Invalid, []string{"routes", "tenants"}, "ALL goes by no tenants: leave them out, or say ONLY or EXCEPT")
	case r.Which != psaconnection.RoutesAll && len(ids) == 0:
		return refusal.New(refusal.Invalid, []string{"routes", "tenants"}, "%s goes by tenants: name at least one", r.Which)
	}
	there, err := s.DB.Client().Tenant.Query().Where(tenant.IDIn(ids...)).IDs(ctx)
	if err != nil {
		return fmt.Errorf("read the tenants of routes: %w", err)
	}
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(there, id) })
	if len(unknown) > 0 {
		return refusal.New(refusal.NotFound, []string{"routes", "tenants"}, "no tenant has the id %s", unknown[0])
	}
	c.Routes, c.RoutedTenants = r.Which, ids
	return nil
}

// leadsHere says whether a tenant's incidents become tickets in the connection.
func leadsHere(c *ent.PSAConnection, tenantID string) bool {
	named := slices.Contains(c.RoutedTenants, tenantID)
	switch c.Routes {
	case psaconnection.RoutesOnly:
		return named
	case psaconnection.RoutesExcept:
		return !named
	case psaconnection.RoutesAll:
	}
	return true
}

// leadingHere is leadsHere for incidents in a query.
func leadingHere(c *ent.PSAConnection) predicate.Incident {
	in := incident.TenantIDIn(c.RoutedTenants...)
	switch c.Routes {
	case psaconnection.RoutesOnly:
		return in
	case psaconnection.RoutesExcept:
		return incident.Not(in)
	case psaconnection.RoutesAll:
	}
	return incident.TenantIDNEQ("")
}

// settledElsewhere says that an incident from before the routes were changed
// has its ticket in another connection.
func settledElsewhere(i *ent.Incident, c *ent.PSAConnection, tickets []*ent.Ticket) bool {
	return c.RoutedAt != nil && i.DetectedAt.Before(*c.RoutedAt) && slices.ContainsFunc(tickets, func(t *ent.Ticket) bool {
		return t.IncidentID == i.ID && t.ConnectionID != c.ID && t.ExternalID != ""
	})
}

// notElsewhere is for the incidents that are not settledElsewhere.
func notElsewhere(c *ent.PSAConnection) predicate.Incident {
	if c.RoutedAt == nil {
		return incident.IDNEQ("")
	}
	return incident.Or(incident.DetectedAtGTE(*c.RoutedAt), incident.Not(incident.HasTicketsWith(ticket.ConnectionIDNEQ(c.ID), ticket.ExternalIDNEQ(""))))
}

// reroute has the tickets that are in no PSA yet go by a connection's new routes.
func (s *Service) reroute(ctx context.Context, tx *database.Tx, c *ent.PSAConnection) error {
	return s.restart(ctx, tx, ticket.ConnectionID(c.ID), ticket.ExternalID(""), ticket.StateNEQ(ticket.StateDeleted),
		ticket.HasIncidentWith(incident.StatusIn(incident.StatusOpen, incident.StatusContained)))
}
