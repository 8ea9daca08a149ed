// Package access decides who may see and do what. What a principal may do is
// said by a policy a person can read as a table (policy.csv, decided by Casbin);
// on which rows, by the same line of it. Everything that touches rows asks here
// for the scope of its context; a context without one is an error, never "all
// rows".
//
// What may not live here: reading or writing of rows. Ent's interceptor and
// hook, the activity log and hand-written SQL apply what Rows writes.
package access

import (
	"context"
	"errors"
	"slices"
)

// ErrNoScope is returned where a query or mutation was tried without a scope
// in its context. It is a programming error, and safe: nothing was read.
var ErrNoScope = errors.New("no access scope in context")

// Role is a member's or key's role in its organization.
type Role string

// The roles (design, section 6).
const (
	RoleAdmin         Role = "ADMIN"
	RoleFullMember    Role = "FULL_MEMBER"
	RolePartialMember Role = "PARTIAL_MEMBER"
	RoleExternalGuest Role = "EXTERNAL_GUEST"
	RoleSales         Role = "SALES"
	RoleBilling       Role = "BILLING"
)

// Roles are all roles.
func Roles() []Role {
	return []Role{RoleAdmin, RoleFullMember, RolePartialMember, RoleExternalGuest, RoleSales, RoleBilling}
}

// TenantScoped says whether the role sees assigned tenants alone.
func (r Role) TenantScoped() bool { return r == RolePartialMember || r == RoleExternalGuest }

// Staff says whether people of the role are the MSP's own.
func (r Role) Staff() bool { return r != RoleExternalGuest }

// Flag opens or closes something beside the role.
type Flag string

// The flags.
const (
	FlagReadOnly      Flag = "IS_READ_ONLY"
	FlagManageTenants Flag = "CAN_MANAGE_TENANTS"
	FlagViewSensitive Flag = "CAN_VIEW_SENSITIVE_TENANTS"
)

// Flags are all flags.
func Flags() []Flag { return []Flag{FlagReadOnly, FlagManageTenants, FlagViewSensitive} }

// PrincipalKind says what acts.
type PrincipalKind string

// The kinds of principal.
const (
	PrincipalMember PrincipalKind = "MEMBER"
	PrincipalAPIKey PrincipalKind = "API_KEY"
	// PrincipalSystem is Cairn itself: a job, an import at the command line.
	// Such principals are named, so that the audit log can tell them apart.
	PrincipalSystem PrincipalKind = "SYSTEM"
)

// Principal is who acts.
type Principal struct {
	Kind  PrincipalKind
	ID    string // member_…, apikey_…, or the system principal's name
	Name  string
	Role  Role
	Flags []Flag

	// AssignedOnly narrows to the tenants assigned to the principal whatever
	// its role: a key made for some tenants.
	AssignedOnly bool
	// SessionID is the session a member is signed in with; empty for others.
	SessionID string
}

// Has says whether the principal has the flag.
func (p Principal) Has(f Flag) bool { return slices.Contains(p.Flags, f) }

// Scope is what a context may reach: rows of one organization, as one principal.
type Scope struct {
	OrganizationID string
	Principal      Principal

	// everyOrganization is set for the few system duties that cross
	// organizations; it can't be made outside this package by accident.
	everyOrganization bool
}

// EveryOrganization says whether the scope crosses organizations.
func (s Scope) EveryOrganization() bool { return s.everyOrganization }

// System says whether Cairn itself acts.
func (s Scope) System() bool { return s.Principal.Kind == PrincipalSystem }

type scopeKey struct{}

// With returns a context that acts within s.
func With(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// System returns a context in which the named duty of Cairn's own (an import,
// a job) acts within one organization, on all of its rows.
func System(ctx context.Context, duty, organizationID string) context.Context {
	return With(ctx, Scope{OrganizationID: organizationID, Principal: systemPrincipal(duty)})
}

// SystemAcrossOrganizations returns a context in which the named duty may
// reach every organization: finding the organization behind an API key,
// retention, migration. Nothing that answers a person or program runs in it.
func SystemAcrossOrganizations(ctx context.Context, duty string) context.Context {
	return With(ctx, Scope{Principal: systemPrincipal(duty), everyOrganization: true})
}

func systemPrincipal(duty string) Principal {
	return Principal{Kind: PrincipalSystem, ID: duty, Name: "Cairn: " + duty, Role: RoleAdmin}
}

// From returns the scope of ctx, or ErrNoScope.
func From(ctx context.Context) (Scope, error) {
	s, ok := ctx.Value(scopeKey{}).(Scope)
	if !ok || (s.OrganizationID == "" && !s.everyOrganization) {
		return Scope{}, ErrNoScope
	}
	return s, nil
}

// The flags one by one, as the API shows them.

// IsReadOnly says whether the principal may only look.
func (p Principal) IsReadOnly() bool { return p.Has(FlagReadOnly) }

// CanManageTenants says whether the principal may onboard, pause and remove tenants.
func (p Principal) CanManageTenants() bool { return p.Has(FlagManageTenants) }

// CanViewSensitiveTenants says whether the principal sees sensitive tenants.
func (p Principal) CanViewSensitiveTenants() bool { return p.Has(FlagViewSensitive) }
