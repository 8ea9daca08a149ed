package access

import (
	"fmt"
	"slices"
)

// Grant is what a member or a key is given.
type Grant struct {
	Role  Role
	Flags []Flag
	// AssignedOnly narrows it to assigned tenants whatever the role.
	AssignedOnly bool
}

// flagsOf are the flags that say anything of a role's members; the others
// would be ignored, which somebody who sets them does not expect.
var flagsOf = map[Role][]Flag{
	RoleAdmin:         {},
	RoleFullMember:    {FlagReadOnly, FlagManageTenants, FlagViewSensitive},
	RolePartialMember: {FlagReadOnly, FlagViewSensitive},
	RoleExternalGuest: {FlagReadOnly},
	RoleSales:         {FlagReadOnly, FlagManageTenants},
	RoleBilling:       {},
}

// Check returns what is wrong with a grant, "" where nothing is, and the field
// to blame: role or the flag. Keys may be read-only whatever their role.
func (g Grant) Check(kind PrincipalKind) (field, problem string) {
	if !slices.Contains(Roles(), g.Role) {
		return "role", fmt.Sprintf("%q is no role: take one of %v", string(g.Role), Roles())
	}
	for _, f := range g.Flags {
		if !slices.Contains(flagsOf[g.Role], f) && (f != FlagReadOnly || kind != PrincipalAPIKey) {
			return string(f), fmt.Sprintf("%s says nothing of the role %s: leave it out", f, g.Role)
		}
	}
	return "", ""
}

// Fits says whether all flags say something of the role.
func (g Grant) Fits() bool {
	field, _ := g.Check(PrincipalMember)
	return field == ""
}

// Exceeds names a permission that the grant has and the scope has not, or has
// on fewer rows; "" where there is none. Nobody grants more than he has.
func (s Scope) Exceeds(kind PrincipalKind, g Grant) Permission {
	whom := Principal{Kind: kind, Role: g.Role, Flags: g.Flags, AssignedOnly: g.AssignedOnly}
	for _, p := range Permissions() {
		theirs, own := embedded().reach(whom, p), embedded().reach(s.Principal, p)
		if !theirs.allowed {
			continue
		}
		if !own.allowed || own.assigned && !theirs.assigned ||
			theirs.sensitive && !theirs.assigned && !own.sensitive || theirs.paused && !own.paused || theirs.unpublished && !own.unpublished {
			return p
		}
	}
	return ""
}
