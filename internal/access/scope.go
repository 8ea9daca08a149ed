// Package access decides who may see and do what. Everything that touches
// tenant-owned rows asks here for the scope of its context; a context without
// one is an error, never "all rows".
//
// What may not live here: reading or writing of rows. The scope says which
// rows; ent's interceptors and hooks and the activity log apply it.
package access

import (
	"context"
	"errors"
)

// ErrNoScope is returned where a query or mutation was tried without a scope
// in its context. It is a programming error, and safe: nothing was read.
var ErrNoScope = errors.New("no access scope in context")

// Role is a member's or key's role in its organization.
type Role string

// The roles (design, section 6). Only ADMIN is issued so far.
const (
	RoleAdmin         Role = "ADMIN"
	RoleFullMember    Role = "FULL_MEMBER"
	RolePartialMember Role = "PARTIAL_MEMBER"
	RoleExternalGuest Role = "EXTERNAL_GUEST"
	RoleSales         Role = "SALES"
	RoleBilling       Role = "BILLING"
)

// PrincipalKind says what acts.
type PrincipalKind string

// The kinds of principal.
const (
	PrincipalAPIKey PrincipalKind = "API_KEY"
	// PrincipalSystem is Cairn itself: a job, an import at the command line.
	// Such principals are named, so that the audit log can tell them apart.
	PrincipalSystem PrincipalKind = "SYSTEM"
)

// Principal is who acts.
type Principal struct {
	Kind PrincipalKind
	ID   string // apikey_…, or the system principal's name
	Name string
	Role Role
}

// Scope is what a context may reach: the rows of one organization, as one
// principal. All of an organization is the only row scope there is so far.
type Scope struct {
	OrganizationID string
	Principal      Principal

	// everyOrganization is set for the few system duties that cross
	// organizations; it can't be made outside this package by accident.
	everyOrganization bool
}

// EveryOrganization says whether the scope crosses organizations.
func (s Scope) EveryOrganization() bool { return s.everyOrganization }

type scopeKey struct{}

// With returns a context that acts within s.
func With(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// System returns a context in which the named duty of Cairn's own (an import,
// a job) acts within one organization.
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
