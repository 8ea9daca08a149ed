package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
)

// The matrix as it was decided, written by hand and apart from policy.csv. A
// cell says who has a permission: yes, no, M (needs CAN_MANAGE_TENANTS), R
// (refused by IS_READ_ONLY), MR (both).
//
//	permission            ADMIN FULL PARTIAL GUEST SALES BILLING
//
//nolint:dupword // a table
const matrix = `
	SIGNED_IN             yes   yes  yes     yes   yes   yes
	ORGANIZATION_READ     yes   yes  yes     yes   yes   yes
	TENANT_READ           yes   yes  yes     yes   yes   no
	TENANT_CREATE         yes   MR   no      no    MR    no
	TENANT_UPDATE         yes   MR   no      no    MR    no
	TENANT_MARK_SENSITIVE yes   no   no      no    no    no
	ACCOUNT_READ          yes   yes  yes     yes   no    no
	INCIDENT_READ         yes   yes  yes     yes   no    no
	INCIDENT_WRITE        yes   R    R       R     no    no
	INCIDENT_PUBLISH      yes   R    R       no    no    no
	ACTIVITY_READ         yes   yes  yes     yes   no    no
	FAILED_ATTACK_READ    yes   yes  yes     yes   no    no
	TICKET_READ           yes   yes  yes     yes   no    no
	TICKET_WRITE          yes   R    R       no    no    no
	PSA_READ              yes   yes  no      no    no    no
	PSA_WRITE             yes   R    no      no    no    no
	MEMBER_READ           yes   no   no      no    no    no
	MEMBER_WRITE          yes   no   no      no    no    no
	API_KEY_READ          yes   yes  no      no    no    no
	API_KEY_WRITE         yes   no   no      no    no    no
	AUDIT_READ            yes   yes  yes     yes   no    no
`

// tenant is one as the scope sees it.
type tenant struct{ assigned, sensitive, paused bool }

var tenants = []tenant{
	{},
	{assigned: true},
	{sensitive: true},
	{assigned: true, sensitive: true},
	{paused: true},
	{assigned: true, paused: true},
	{assigned: true, sensitive: true, paused: true},
}

// sees says, from the matrix, which tenants' rows a role reaches with what it
// may at all.
func sees(role access.Role, flags []access.Flag, t tenant) bool {
	manages, views := slices.Contains(flags, access.FlagManageTenants), slices.Contains(flags, access.FlagViewSensitive)
	switch role {
	case access.RoleAdmin:
		return true
	case access.RoleFullMember:
		return (!t.sensitive || views) && (!t.paused || manages)
	case access.RolePartialMember:
		return t.assigned && (!t.sensitive || views) && !t.paused
	case access.RoleExternalGuest:
		return t.assigned && !t.paused // assigning a sensitive tenant is consent
	case access.RoleSales:
		return !t.sensitive && (!t.paused || manages)
	case access.RoleBilling:
	}
	return false
}

// seesUnpublished says whether a role sees incidents that are not published.
func seesUnpublished(role access.Role, flags []access.Flag) bool {
	readOnly := slices.Contains(flags, access.FlagReadOnly)
	return role == access.RoleAdmin || (role == access.RoleFullMember || role == access.RolePartialMember) && !readOnly
}

func allowed(cell string, flags []access.Flag) bool {
	manages, readOnly := slices.Contains(flags, access.FlagManageTenants), slices.Contains(flags, access.FlagReadOnly)
	switch cell {
	case "yes":
		return true
	case "M":
		return manages
	case "R":
		return !readOnly
	case "MR":
		return manages && !readOnly
	}
	return false
}

// cells reads the matrix.
func cells() map[access.Permission]map[access.Role]string {
	out := map[access.Permission]map[access.Role]string{}
	for line := range strings.Lines(strings.TrimSpace(matrix)) {
		f := strings.Fields(line)
		out[access.Permission(f[0])] = map[access.Role]string{}
		for i, role := range access.Roles() {
			out[access.Permission(f[0])][role] = f[i+1]
		}
	}
	return out
}

// flagSets are all sets of flags.
func flagSets() (sets [][]access.Flag) {
	for n := range 1 << len(access.Flags()) {
		var set []access.Flag
		for i, f := range access.Flags() {
			if n&(1<<i) != 0 {
				set = append(set, f)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// ofOrganization are the permissions on what belongs to no tenant.
var ofOrganization = []access.Permission{
	access.SignedIn, access.OrganizationRead, access.PSARead, access.PSAWrite, access.MemberRead, access.MemberWrite, access.APIKeyRead, access.APIKeyWrite,
}

// differs returns the first place where a policy says something else than the
// matrix, "" where there is none.
func differs(p *access.Policy) string {
	for permission, row := range cells() {
		if at := differsOn(p, permission, row); at != "" {
			return at
		}
	}
	return ""
}

func differsOn(p *access.Policy, permission access.Permission, row map[access.Role]string) string {
	for role, cell := range row {
		for _, flags := range flagSets() {
			who := access.Principal{Kind: access.PrincipalMember, Role: role, Flags: flags}
			at := string(permission) + " " + string(role) + " " + access.Join(flags)
			if p.Allowed(who, permission) != allowed(cell, flags) {
				return at
			}
			if !allowed(cell, flags) || slices.Contains(ofOrganization, permission) {
				continue
			}
			for _, t := range tenants {
				if p.Reaches(who, permission, t.assigned, t.sensitive, t.paused) != sees(role, flags, t) {
					return at + " tenants"
				}
			}
			if p.Unpublished(who, permission) != seesUnpublished(role, flags) {
				return at + " unpublished"
			}
		}
	}
	return ""
}

// Ensure the policy says what the matrix says, cell by cell, flag by flag.
func TestPolicyIsTheMatrix(t *testing.T) {
	t.Parallel()
	require.Len(t, cells(), len(access.Permissions()), "a permission is in both")
	require.Empty(t, differs(access.Embedded()))
}

// Ensure flipping any cell of the policy, or leaving out any line of it, is noticed.
func TestEveryCellCounts(t *testing.T) {
	t.Parallel()
	lines, err := access.PolicyLines()
	require.NoError(t, err)
	other := [][]string{
		nil, nil,
		{"-", string(access.FlagManageTenants), string(access.FlagReadOnly)},
		{"-", string(access.FlagReadOnly)},
		{"all", "assigned"},
		{"yes", "no", string(access.FlagViewSensitive)},
		{"yes", "no", string(access.FlagManageTenants)},
		{"yes", "no", "unless " + string(access.FlagReadOnly)},
	}
	rows, flipped := cells(), 0
	for i, line := range lines {
		without, err := access.NewPolicy(slices.Delete(slices.Clone(lines), i, i+1))
		require.NoError(t, err)
		require.NotEmpty(t, differsOn(without, access.Permission(line[1]), rows[access.Permission(line[1])]), "without %v", line)
		organization := slices.Contains(ofOrganization, access.Permission(line[1]))
		for column, values := range other {
			if organization && column >= 4 {
				continue // such rows hang on no tenant
			}
			for _, v := range values {
				// A line that needs a flag may as well say "yes" where the flag opens.
				same := v == "yes" && (column == 6 && line[2] == line[6] || column == 7 && "unless "+line[3] == line[7])
				if v == line[column] || same {
					continue
				}
				changed := slices.Clone(lines)
				changed[i] = slices.Clone(line)
				changed[i][column] = v
				p, err := access.NewPolicy(changed)
				require.NoError(t, err)
				require.NotEmpty(t, differsOn(p, access.Permission(line[1]), rows[access.Permission(line[1])]), "%v with %q in column %d", line, v, column)
				flipped++
			}
		}
	}
	require.Greater(t, flipped, 400)
}
