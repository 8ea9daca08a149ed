package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/apikey"
	"github.com/cairn-itdr/cairn/ent/auditentry"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/invitation"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/grant"
	memberservice "github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

var memberOrder = order[*ent.Member]{
	list: "members", column: member.FieldCreatedAt, kind: cursor.Moment,
	place: func(m *ent.Member) cursor.Place { return cursor.Place{Key: m.CreatedAt, ID: m.ID} },
}

var invitationOrder = order[*ent.Invitation]{
	list: "invitations", column: invitation.FieldCreatedAt, kind: cursor.Moment, descending: true,
	place: func(i *ent.Invitation) cursor.Place { return cursor.Place{Key: i.CreatedAt, ID: i.ID} },
}

var apiKeyOrder = order[*ent.APIKey]{
	list: "apiKeys", column: apikey.FieldCreatedAt, kind: cursor.Moment, descending: true,
	place: func(k *ent.APIKey) cursor.Place { return cursor.Place{Key: k.CreatedAt, ID: k.ID} },
}

var auditOrder = order[*ent.AuditEntry]{
	list: "auditLog", column: auditentry.FieldAt, kind: cursor.Moment, descending: true,
	place: func(e *ent.AuditEntry) cursor.Place { return cursor.Place{Key: e.At, ID: e.ID} },
}

// peopleLoaders makes the loaders of members, keys and what they did.
func (l *loaders) peopleLoaders(client *ent.Client) {
	l.members = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Member, error) {
		list, err := client.Member.Query().Where(member.IDIn(ids...)).All(ctx)
		return byID("members", list, err, func(m *ent.Member) string { return m.ID }, l.sawMembers)
	})
	l.invitations = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Invitation, error) {
		list, err := client.Invitation.Query().Where(invitation.IDIn(ids...)).All(ctx)
		return byID("invitations", list, err, func(i *ent.Invitation) string { return i.ID }, l.sawInvitations)
	})
	l.apiKeys = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.APIKey, error) {
		list, err := client.APIKey.Query().Where(apikey.IDIn(ids...), apikey.RevokedAtIsNil()).All(ctx)
		return byID("API keys", list, err, func(k *ent.APIKey) string { return k.ID }, l.sawAPIKeys)
	})
	l.audits = newLoader(func(ctx context.Context, ids []string) (map[string]*model.AuditEntry, error) {
		list, err := client.AuditEntry.Query().Where(auditentry.IDIn(ids...)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read audit entries: %w", err)
		}
		views, err := l.auditViews(ctx, list)
		return byID("audit entries", views, err, func(e *model.AuditEntry) string { return e.ID }, nil)
	})
	l.assignments = newLoader(func(ctx context.Context, holders []string) (map[string][]string, error) {
		s, err := access.From(ctx)
		if err != nil {
			return nil, err
		}
		// Whoever sees the holder sees its assignments; which of the tenants they
		// lead to, the viewer's own scope says.
		return grant.Tenants(access.System(ctx, "assignments", s.OrganizationID), client, holders...)
	})
}

func (l *loaders) sawMembers(list ...*ent.Member) {
	for _, m := range list {
		l.assignments.expect(m.ID)
	}
}

func (l *loaders) sawInvitations(list ...*ent.Invitation) {
	for _, i := range list {
		l.assignments.expect(i.ID)
	}
}

func (l *loaders) sawAPIKeys(list ...*ent.APIKey) {
	for _, k := range list {
		l.assignments.expect(k.ID)
		l.members.expect(value(k.CreatedByID))
	}
}

// assignedTenants returns the tenants assigned to a holder that the viewer sees.
func (r *Resolver) assignedTenants(ctx context.Context, holderID string) ([]*ent.Tenant, error) {
	l := loadersOf(ctx)
	ids, err := l.assignments.one(ctx, holderID)
	if err != nil {
		return nil, err
	}
	found, err := l.tenants.load(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]*ent.Tenant, 0, len(ids))
	for _, id := range ids {
		if t := found[id]; t != nil {
			out = append(out, t)
		}
	}
	return out, nil
}

func memberFilter(f *model.MemberFilter) (ps []predicate.Member, err error) {
	if f == nil {
		f = &model.MemberFilter{}
	}
	if err := checkText("search", f.Search); err != nil {
		return nil, err
	}
	if value(f.Removed) {
		ps = append(ps, member.RemovedAtNotNil())
	} else {
		ps = append(ps, member.RemovedAtIsNil())
	}
	if f.Roles != nil {
		ps = append(ps, member.RoleIn(f.Roles...))
	}
	if f.Search != nil {
		ps = append(ps, member.Or(contains(member.FieldEmail, *f.Search), contains(member.FieldName, *f.Search)))
	}
	return ps, nil
}

// updateMember changes what the input names of a member and leaves the rest.
func (r *Resolver) updateMember(ctx context.Context, in model.UpdateMemberInput) error {
	l := newLoaders(r.Config, rawShareOf(ctx)) // as it is now
	m, err := l.members.one(ctx, in.ID)
	if err != nil {
		return err
	}
	if m == nil || m.RemovedAt != nil {
		return refusal.New(refusal.NotFound, []string{"id"}, "no member has this id")
	}
	if in.AccessUntil != nil && value(in.ClearAccessUntil) {
		return refusal.New(refusal.Invalid, []string{"clearAccessUntil"}, "give an end of access or clear it, not both")
	}
	assigned, err := l.assignments.one(ctx, m.ID)
	if err != nil {
		return err
	}
	place := memberservice.PlaceOf(m, assigned)
	if in.Role != nil {
		place.Role = *in.Role
		if !in.Role.TenantScoped() {
			place.Tenants = nil
		}
		// Flags that say nothing of the new role go with the old one.
		place.Flags = slices.DeleteFunc(place.Flags, func(f access.Flag) bool {
			return !access.Grant{Role: *in.Role, Flags: []access.Flag{f}}.Fits()
		})
	}
	for flag, to := range map[access.Flag]*bool{
		access.FlagReadOnly: in.IsReadOnly, access.FlagManageTenants: in.CanManageTenants, access.FlagViewSensitive: in.CanViewSensitiveTenants,
	} {
		if to == nil {
			continue
		}
		place.Flags = slices.DeleteFunc(place.Flags, func(f access.Flag) bool { return f == flag })
		if *to {
			place.Flags = append(place.Flags, flag)
		}
	}
	if in.TenantIds != nil {
		place.Tenants = in.TenantIds
	}
	if in.AccessUntil != nil {
		place.AccessUntil = in.AccessUntil
	}
	if value(in.ClearAccessUntil) {
		place.AccessUntil = nil
	}
	_, err = r.Members.Update(ctx, in.ID, place)
	return err
}

// auditFilter translates a filter. A guest asks for no staff: the answer would
// tell who did what.
func auditFilter(ctx context.Context, f *model.AuditLogFilter, tenantIDs []string) (ps []predicate.AuditEntry, err error) {
	if f == nil {
		return nil, nil
	}
	for _, err := range []error{
		checkList("actions", f.Actions), checkList("results", f.Results), checkList("principalIds", f.PrincipalIds),
		checkList("objectIds", f.ObjectIds), checkRange("at", f.At),
	} {
		if err != nil {
			return nil, err
		}
	}
	s, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if f.TenantIds != nil {
		ps = append(ps, auditentry.TenantIDIn(tenantIDs...))
	}
	if f.Actions != nil {
		ps = append(ps, auditentry.ActionIn(f.Actions...))
	}
	if f.Results != nil {
		ps = append(ps, auditentry.ResultIn(f.Results...))
	}
	if f.PrincipalIds != nil {
		ps = append(ps, auditentry.PrincipalIDIn(f.PrincipalIds...))
		if !s.Principal.Role.Staff() {
			ps = append(ps, auditentry.PrincipalStaff(false))
		}
	}
	if f.ObjectIds != nil {
		ps = append(ps, auditentry.ObjectIDIn(f.ObjectIds...))
	}
	return append(ps, within(f.At, auditentry.AtGTE, auditentry.AtLT)...), nil
}

// auditEntries lists entries as the viewer may see them.
func auditEntries(ctx context.Context, query *ent.AuditEntryQuery, a pageArguments) (*model.Connection[*model.AuditEntry], error) {
	l := loadersOf(ctx)
	list, err := entities(ctx, query, auditOrder, a, nil)
	if err != nil {
		return nil, err
	}
	views, err := l.auditViews(ctx, list.Nodes())
	if err != nil {
		return nil, err
	}
	out := &model.Connection[*model.AuditEntry]{PageInfo: list.PageInfo, Count: list.Count}
	for i, v := range views {
		out.Edges = append(out.Edges, &model.Edge[*model.AuditEntry]{Cursor: list.Edges[i].Cursor, Node: v})
	}
	return out, nil
}

// auditViews hides from guests who of the MSP's people did something and from
// where: to them it was the organization.
func (l *loaders) auditViews(ctx context.Context, list []*ent.AuditEntry) ([]*model.AuditEntry, error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	var organization *ent.Organization
	if !s.Principal.Role.Staff() {
		if organization, err = l.cfg.DB.Client().Organization.Get(ctx, s.OrganizationID); err != nil {
			return nil, fmt.Errorf("read the organization: %w", err)
		}
	}
	out := make([]*model.AuditEntry, len(list))
	for i, e := range list {
		l.tenants.expect(value(e.TenantID))
		v := &model.AuditEntry{AuditEntry: e, PrincipalID: e.PrincipalID, PrincipalName: e.PrincipalName}
		if e.Address != "" {
			v.Address = &e.Address
		}
		if organization != nil && e.PrincipalStaff {
			v.PrincipalID, v.PrincipalName, v.Address = organization.ID, organization.Name, nil
		}
		out[i] = v
	}
	return out, nil
}

func (r *Resolver) incidentByNumber(ctx context.Context, number int) (*ent.Incident, error) {
	i, err := r.DB.Client().Incident.Query().Where(incident.Number(number)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read incident: %w", err)
	}
	loadersOf(ctx).sawIncidents(i)
	return i, nil
}
