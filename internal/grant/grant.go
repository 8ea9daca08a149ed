// Package grant gives rights to those who hold them as rows: members,
// invitations and API keys. What may be granted is package access's to say.
package grant

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/assignment"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// maxTenants is how many tenants one grant names.
const maxTenants = 1000

// Flags puts flags together from their columns.
func Flags(readOnly, manageTenants, viewSensitive bool) (flags []access.Flag) {
	for f, set := range map[access.Flag]bool{
		access.FlagReadOnly: readOnly, access.FlagManageTenants: manageTenants, access.FlagViewSensitive: viewSensitive,
	} {
		if set {
			flags = append(flags, f)
		}
	}
	slices.Sort(flags)
	return flags
}

// Has says whether a flag is among them.
func Has(flags []access.Flag, f access.Flag) bool { return slices.Contains(flags, f) }

// Check refuses (INVALID) a grant that makes no sense or gives more than the
// granting scope has.
func Check(s access.Scope, kind access.PrincipalKind, g access.Grant, tenants int) error {
	if field, problem := g.Check(kind); problem != "" {
		return refusal.New(refusal.Invalid, []string{fieldOf(field)}, "%s", problem)
	}
	if g.Role.TenantScoped() && tenants == 0 {
		return refusal.New(refusal.Invalid, []string{"tenantIds"}, "the role %s sees assigned tenants alone: name one at least", g.Role)
	}
	if kind != access.PrincipalAPIKey && !g.Role.TenantScoped() && tenants > 0 {
		return refusal.New(refusal.Invalid, []string{"tenantIds"},
			"the role %s is not for assigned tenants: leave them out, or take %s or %s", g.Role, access.RolePartialMember, access.RoleExternalGuest)
	}
	if tenants > maxTenants {
		return refusal.New(refusal.Invalid, []string{"tenantIds"}, "%d tenants are more than the %d of one grant", tenants, maxTenants)
	}
	if p := s.Exceeds(kind, g); p != "" {
		return refusal.New(refusal.Invalid, []string{"role"}, "this would grant %s, which goes beyond what you may yourself", p)
	}
	return nil
}

func fieldOf(field string) string {
	switch access.Flag(field) {
	case access.FlagReadOnly:
		return "isReadOnly"
	case access.FlagManageTenants:
		return "canManageTenants"
	case access.FlagViewSensitive:
		return "canViewSensitiveTenants"
	}
	return field
}

// Assign gives the holder the tenants that refs name (Cairn's ids or
// Microsoft's) and no others, and returns them. Refusal (NOT_FOUND): a tenant
// that is not there for the granting scope.
func Assign(ctx context.Context, tx *database.Tx, holderID string, refs []string) ([]*ent.Tenant, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("assign tenants: %w", err)
	}
	var tenants []*ent.Tenant
	wanted := map[string]bool{}
	for i, ref := range refs {
		t, err := find(ctx, tx.Client, ref)
		if err != nil {
			return nil, err
		}
		if t == nil {
			return nil, refusal.New(refusal.NotFound, []string{"tenantIds", strconv.Itoa(i)}, "no tenant has the id %q", ref)
		}
		if !wanted[t.ID] {
			wanted[t.ID] = true
			tenants = append(tenants, t)
		}
	}
	// Whoever grants sees the assignments of those it may grant to; what others
	// gave is the holder's as well.
	system := access.System(ctx, "assignments", scope.OrganizationID)
	held, err := tx.Client.Assignment.Query().Where(assignment.HolderID(holderID)).All(system)
	if err != nil {
		return nil, fmt.Errorf("read assignments: %w", err)
	}
	for _, a := range held {
		if wanted[a.TenantID] {
			delete(wanted, a.TenantID)
			continue
		}
		if err := tx.Client.Assignment.DeleteOne(a).Exec(system); err != nil {
			return nil, fmt.Errorf("end an assignment: %w", err)
		}
	}
	for _, t := range tenants {
		if !wanted[t.ID] {
			continue
		}
		err := tx.Client.Assignment.Create().SetOrganizationID(scope.OrganizationID).SetTenantID(t.ID).SetHolderID(holderID).Exec(system)
		if err != nil {
			return nil, fmt.Errorf("assign tenant %s: %w", t.ID, err)
		}
	}
	return tenants, nil
}

// find returns the tenant ref names, nil where the scope has none.
func find(ctx context.Context, client *ent.Client, ref string) (*ent.Tenant, error) {
	q := client.Tenant.Query()
	if typeid.Check("tenant", ref) == nil {
		q.Where(tenant.ID(ref))
	} else if id, err := uuid.Parse(ref); err == nil {
		q.Where(tenant.MicrosoftTenantID(id.String()))
	} else {
		return nil, nil
	}
	t, err := q.Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find tenant: %w", err)
	}
	return t, nil
}

// Tenants returns the ids of the tenants assigned to each of the holders.
func Tenants(ctx context.Context, client *ent.Client, holderIDs ...string) (map[string][]string, error) {
	list, err := client.Assignment.Query().Where(assignment.HolderIDIn(holderIDs...)).Order(assignment.ByTenantID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read assignments: %w", err)
	}
	out := map[string][]string{}
	for _, a := range list {
		out[a.HolderID] = append(out[a.HolderID], a.TenantID)
	}
	return out, nil
}

// Describe says in a line what was granted, for the audit log.
func Describe(role access.Role, flags []access.Flag, tenants []*ent.Tenant) string {
	parts := []string{string(role)}
	for _, f := range flags {
		parts = append(parts, string(f))
	}
	for _, t := range tenants {
		parts = append(parts, t.ID)
	}
	return strings.Join(parts, " ")
}
