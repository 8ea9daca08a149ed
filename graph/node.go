package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/organization"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/tenant"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// nodeKind is how objects of one type prefix are found. Each needs the
// permission that the list of its kind needs.
type nodeKind struct {
	prefix     string
	permission access.Permission
	find       func(ctx context.Context, l *loaders, ids []string) (map[string]model.Node, error)
}

var nodeKinds = []nodeKind{
	{accountPrefix, access.AccountRead, foundBy(func(l *loaders) *loader[*ent.Account] { return l.accounts })},
	{activity.IDPrefix, access.ActivityRead, foundBy(func(l *loaders) *loader[*model.Activity] { return l.activities })},
	{eventPrefix, access.IncidentRead, foundBy(func(l *loaders) *loader[*model.IncidentEvent] { return l.events })},
	{findingPrefix, access.IncidentRead, foundBy(func(l *loaders) *loader[*ent.Finding] { return l.findings })},
	{incident.IDPrefix, access.IncidentRead, foundBy(func(l *loaders) *loader[*ent.Incident] { return l.incidents })},
	{organizationPrefix, access.OrganizationRead, findOrganizations},
	{member.IDPrefix, access.MemberRead, foundBy(func(l *loaders) *loader[*ent.Member] { return l.members })},
	{member.InvitationIDPrefix, access.MemberRead, foundBy(func(l *loaders) *loader[*ent.Invitation] { return l.invitations })},
	{apikey.IDPrefix, access.APIKeyRead, foundBy(func(l *loaders) *loader[*ent.APIKey] { return l.apiKeys })},
	{ticketing.ConnectionPrefix, access.PSARead, foundBy(func(l *loaders) *loader[*ent.PSAConnection] { return l.psaConnections })},
	{ticketIDPrefix, access.TicketRead, foundBy(func(l *loaders) *loader[*ent.Ticket] { return l.tickets })},
	{auditPrefix, access.AuditRead, foundBy(func(l *loaders) *loader[*model.AuditEntry] { return l.audits })},
	{tenant.IDPrefix, access.TenantRead, foundBy(func(l *loaders) *loader[*ent.Tenant] { return l.tenants })},
}

func foundBy[V any](of func(*loaders) *loader[V]) func(context.Context, *loaders, []string) (map[string]model.Node, error) {
	return func(ctx context.Context, l *loaders, ids []string) (map[string]model.Node, error) {
		found, err := of(l).load(ctx, ids...)
		if err != nil {
			return nil, err
		}
		return asNodes(found), nil
	}
}

func asNodes[V any](found map[string]V) map[string]model.Node {
	out := make(map[string]model.Node, len(found))
	for id, v := range found {
		out[id] = v
	}
	return out
}

func findOrganizations(ctx context.Context, l *loaders, ids []string) (map[string]model.Node, error) {
	list, err := l.cfg.DB.Client().Organization.Query().Where(organization.IDIn(ids...)).All(ctx)
	found, err := byID("organizations", list, err, func(o *ent.Organization) string { return o.ID }, nil)
	if err != nil {
		return nil, err
	}
	return asNodes(found), nil
}

// nodes returns the objects with these ids, nil in the place of each that is
// malformed, unknown, or out of scope: the caller can't tell which.
func (r *Resolver) nodes(ctx context.Context, ids []string) ([]model.Node, error) {
	if len(ids) > maxPage {
		return nil, badInput("ids: %d are more than the %d of one request", len(ids), maxPage)
	}
	out := make([]model.Node, len(ids))
	for _, kind := range nodeKinds {
		own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return typeid.Check(kind.prefix, id) != nil })
		if len(own) == 0 {
			continue
		}
		if err := permit(ctx, kind.permission); err != nil {
			return nil, err
		}
		found, err := kind.find(ctx, loadersOf(ctx), own)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			if n, ok := found[id]; ok {
				out[i] = n
			}
		}
	}
	return out, nil
}

// The functions below load what must be there.

func (l *loaders) tenant(ctx context.Context, id string) (*ent.Tenant, error) {
	return must(ctx, l.tenants, "tenant", id)
}

func (l *loaders) account(ctx context.Context, id string) (*ent.Account, error) {
	return must(ctx, l.accounts, "account", id)
}

func (l *loaders) incident(ctx context.Context, id string) (*ent.Incident, error) {
	return must(ctx, l.incidents, "incident", id)
}

func must[V any](ctx context.Context, l *loader[*V], what, id string) (*V, error) {
	v, err := l.one(ctx, id)
	if err == nil && v == nil {
		return nil, fmt.Errorf("%s %s is missing", what, id)
	}
	return v, err
}
