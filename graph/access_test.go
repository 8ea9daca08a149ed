package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Who may use which root field, written by hand from the matrix and apart from
// the policy: yes, no, M (needs CAN_MANAGE_TENANTS), R (refused by
// IS_READ_ONLY), MR (both). A field that is not here fails the test.
//
//	field                      ADMIN FULL PARTIAL GUEST SALES BILLING
//
//nolint:dupword // a table
const fieldMatrix = `
	Query.node                 yes   yes  yes     yes   yes   yes
	Query.nodes                yes   yes  yes     yes   yes   yes
	Query.viewer               yes   yes  yes     yes   yes   yes
	Query.organization         yes   yes  yes     yes   yes   yes
	Query.tenants              yes   yes  yes     yes   yes   no
	Query.accounts             yes   yes  yes     yes   no    no
	Query.incidents            yes   yes  yes     yes   no    no
	Query.incident             yes   yes  yes     yes   no    no
	Query.activities           yes   yes  yes     yes   no    no
	Query.failedAttacks        yes   yes  yes     yes   no    no
	Query.members              yes   no   no      no    no    no
	Query.invitations          yes   no   no      no    no    no
	Query.apiKeys              yes   yes  no      no    no    no
	Query.auditLog             yes   yes  yes     yes   no    no
	Query.psaVendors           yes   yes  no      no    no    no
	Query.psaConnections       yes   yes  no      no    no    no
	Query.tickets              yes   yes  yes     yes   no    no
	Mutation.connectPsa        yes   R    no      no    no    no
	Mutation.updatePsaConnection yes R    no      no    no    no
	Mutation.disconnectPsa     yes   R    no      no    no    no
	Mutation.verifyPsaConnection yes R    no      no    no    no
	Mutation.mapTenantToCompany yes  R    no      no    no    no
	Mutation.sendTestTicket    yes   R    no      no    no    no
	Mutation.createTicket      yes   R    R       no    no    no
	Mutation.retryTicket       yes   R    R       no    no    no
	Mutation.connectTenant     yes   MR   no      no    MR    no
	Mutation.createTenant      yes   MR   no      no    MR    no
	Mutation.updateTenant      yes   MR   no      no    MR    no
	Mutation.updateIncident    yes   R    R       R     no    no
	Mutation.publishIncident   yes   R    R       no    no    no
	Mutation.inviteMember      yes   no   no      no    no    no
	Mutation.resendInvitation  yes   no   no      no    no    no
	Mutation.revokeInvitation  yes   no   no      no    no    no
	Mutation.updateMember      yes   no   no      no    no    no
	Mutation.removeMember      yes   no   no      no    no    no
	Mutation.createApiKey      yes   no   no      no    no    no
	Mutation.deleteApiKey      yes   no   no      no    no    no
	Mutation.endSession        yes   yes  yes     yes   yes   yes
`

// The fields below the root that lead to other objects, with the permission
// each needs: written by hand, too.
var edges = map[string]access.Permission{
	"Account.tenant": access.TenantRead, "Activity.account": access.AccountRead, "Activity.tenant": access.TenantRead,
	"Activity.raw": access.ActivityRead, "FailedAttackAccount.account": access.AccountRead,
	"Finding.account": access.AccountRead, "Finding.tenant": access.TenantRead, "Finding.incident": access.IncidentRead,
	"Finding.evidence": access.ActivityRead, "Incident.account": access.AccountRead, "Incident.tenant": access.TenantRead,
	"Incident.findings": access.IncidentRead, "Incident.timeline": access.IncidentRead, "Incident.previous": access.IncidentRead,
	"Incident.mergedInto": access.IncidentRead, "IncidentEvent.incident": access.IncidentRead, "IncidentEvent.finding": access.IncidentRead,
	"TimelineEvidence.activity": access.ActivityRead, "TimelineEvidence.findings": access.IncidentRead,
	"Viewer.member": access.SignedIn, "Viewer.tenants": access.SignedIn, "Viewer.sessions": access.SignedIn,
	"Member.tenants": access.TenantRead, "Invitation.tenants": access.TenantRead,
	"Tenant.connection": access.TenantRead, "Tenant.health": access.TenantRead, "Tenant.collectors": access.TenantRead,
	"CompanyMapping.tenant": access.TenantRead, "CompanySuggestion.tenant": access.TenantRead,
	"Incident.tickets": access.TicketRead, "Ticket.incident": access.IncidentRead, "Ticket.tenant": access.TenantRead,
	"Ticket.connection": access.PSARead, "Ticket.company": access.PSARead, "Ticket.events": access.PSARead,
	"ApiKey.tenants": access.TenantRead, "ApiKey.createdBy": access.MemberRead, "AuditEntry.tenant": access.TenantRead,
}

// Ensure every field that leads to an object names the permission it needs, as
// it is written here.
func TestEveryEdgeNamesItsPermission(t *testing.T) {
	t.Parallel()
	s := schema()
	leads := func(f *ast.FieldDefinition) bool {
		d := s.Types[f.Type.Name()]
		return slices.Contains(d.Interfaces, "Node") || isList(d.Name) || slices.Contains([]string{"JSON", "Session"}, d.Name)
	}
	found := map[string]access.Permission{}
	for _, d := range ours() {
		inner := isList(d.Name) || strings.HasSuffix(d.Name, "Edge") || strings.HasSuffix(d.Name, "Payload")
		if d.Kind != ast.Object || d == s.Query || d == s.Mutation || inner {
			continue
		}
		for _, f := range d.Fields {
			r := f.Directives.ForName("requires")
			if leads(f) {
				require.NotNil(t, r, "%s.%s leads to an object and names no permission", d.Name, f.Name)
			}
			if r != nil {
				found[d.Name+"."+f.Name] = access.Permission(r.Arguments.ForName("permission").Value.Raw)
			}
		}
	}
	require.Equal(t, edges, found)
}

// client is a tenant of the test with all that can hang on one.
type client struct {
	name                        string
	assigned, sensitive, paused bool

	tenant                 *ent.Tenant
	account                *ent.Account
	published, unpublished *ent.Incident
	hidden                 *ent.Finding // of the unpublished incident
	activity               *activity.Activity
}

func (c client) visible(p access.Principal) bool {
	if p.AssignedOnly && !c.assigned {
		return false
	}
	manages, views := p.Has(access.FlagManageTenants), p.Has(access.FlagViewSensitive)
	switch p.Role {
	case access.RoleAdmin:
		return true
	case access.RoleFullMember:
		return (!c.sensitive || views) && (!c.paused || manages)
	case access.RolePartialMember:
		return c.assigned && (!c.sensitive || views) && !c.paused
	case access.RoleExternalGuest:
		return c.assigned && !c.paused
	case access.RoleSales:
		return !c.sensitive && (!c.paused || manages)
	case access.RoleBilling:
	}
	return false
}

func seesUnpublished(p access.Principal) bool {
	return p.Role == access.RoleAdmin ||
		(p.Role == access.RoleFullMember || p.Role == access.RolePartialMember) && !p.Has(access.FlagReadOnly)
}

// mayUse says what the matrix says of a root field.
func mayUse(p access.Principal, cell string) bool {
	manages, readOnly := p.Has(access.FlagManageTenants), p.Has(access.FlagReadOnly)
	return cell == "yes" || cell == "M" && manages || cell == "R" && !readOnly || cell == "MR" && manages && !readOnly
}

// principals are all roles with all flags, as members and, read-only and
// narrowed, as keys.
func principals() (all []access.Principal) {
	for _, role := range access.Roles() {
		for n := range 1 << len(access.Flags()) {
			p := access.Principal{Kind: access.PrincipalMember, ID: "member_holder", Role: role}
			for i, f := range access.Flags() {
				if n&(1<<i) != 0 {
					p.Flags = append(p.Flags, f)
				}
			}
			all = append(all, p)
		}
		all = append(all, access.Principal{Kind: access.PrincipalAPIKey, ID: "member_holder", Role: role, AssignedOnly: true})
	}
	return all
}

// clients makes an organization's tenants of every kind, another organization's,
// and what hangs on each.
func (w world) clients() (own []client, foreign client) {
	w.Helper()
	number := 0
	fill := func(w world, c client) client {
		number += 2
		connection := w.psaConnection()
		c.tenant = w.tenant(c.name, "")
		w.write(func(ctx context.Context, e *ent.Client) error {
			update := e.Tenant.UpdateOne(c.tenant).SetSensitive(c.sensitive)
			if c.paused {
				update.SetLifecycle("PAUSED")
			}
			if c.assigned {
				err := e.Assignment.Create().SetOrganizationID(w.org.ID).SetTenantID(c.tenant.ID).SetHolderID("member_holder").Exec(ctx)
				if err != nil {
					return err
				}
			}
			return update.Exec(ctx)
		})
		c.account = w.account(c.tenant, "p@"+c.name+".example")
		c.activity = w.activity(c.tenant, c.account, "v-"+c.name, now, nil)
		c.published = w.incident(c.tenant, c.account, number, nil)
		c.unpublished = w.incident(c.tenant, c.account, number+1, func(i *ent.IncidentCreate) { i.SetPublished(false) })
		w.finding(c.published, "shown "+c.name, now, c.activity)
		c.hidden = w.finding(c.unpublished, "hidden "+c.name, now, c.activity)
		w.write(func(ctx context.Context, e *ent.Client) error {
			err := e.FailedAttack.Create().SetOrganizationID(w.org.ID).SetTenantID(c.tenant.ID).SetBook("b").SetDay(now.Truncate(24 * 3600e9)).
				SetTactic(detect.TacticBruteForce).SetSource("192.0.2.0/24").SetCountry("FR").SetNetworkNumber(1).SetNetworkOwner("o").
				SetNetworkKind(activity.NetworkHosting).SetUserAgent("").SetAccountID(c.account.ID).SetAttempts(1).SetPasswordKnown(false).
				SetFirstAt(now).SetLastAt(now).Exec(ctx)
			if err != nil {
				return err
			}
			for _, i := range []*ent.Incident{c.published, c.unpublished} {
				err := e.Ticket.Create().SetOrganizationID(w.org.ID).SetTenantID(c.tenant.ID).SetIncidentID(i.ID).SetConnectionID(connection.ID).
					SetCreatedAt(now).SetUpdatedAt(now).SetWantedRevision(1).SetExternalNumber("1001").Exec(ctx)
				if err != nil {
					return err
				}
			}
			for _, object := range []string{c.published.ID, c.unpublished.ID} {
				err := e.AuditEntry.Create().SetOrganizationID(w.org.ID).SetAt(now).SetPrincipalKind(access.PrincipalMember).SetPrincipalID("member_x").
					SetPrincipalName("Xenia of the staff").SetAction("test").SetTenantID(c.tenant.ID).SetObjectID(object).SetAddress("192.0.2.1").
					SetResult("OK").SetDetail("").Exec(ctx)
				if err != nil {
					return err
				}
			}
			return nil
		})
		return c
	}
	for _, c := range []client{
		{name: "ordinary"},
		{name: "assigned", assigned: true},
		{name: "sensitive", sensitive: true},
		{name: "trusted", assigned: true, sensitive: true},
		{name: "paused", paused: true},
		{name: "rested", assigned: true, paused: true},
	} {
		own = append(own, fill(w, c))
	}
	return own, fill(w.as("MSP Two"), client{name: "foreign", assigned: true})
}

// names asks for a list and returns the tenants' names in it, sorted, each once.
func names(t *testing.T, data string) []string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(data), &v))
	found := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				if s, ok := item.(string); ok && k == "name" {
					found[s] = true
				}
				walk(item)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(v)
	return slices.Sorted(maps.Keys(found))
}

// Ensure each role and flag uses the root fields of the matrix and no others,
// and reaches by them the rows of the matrix and no others.
func TestAccess(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		own, foreign := w.clients()
		all := append(slices.Clone(own), foreign)
		cells := map[string]map[access.Role]string{}
		for line := range strings.Lines(strings.TrimSpace(fieldMatrix)) {
			f := strings.Fields(line)
			cells[f[0]] = map[access.Role]string{}
			for i, role := range access.Roles() {
				cells[f[0]][role] = f[i+1]
			}
		}
		s := schema()
		for _, root := range []*ast.Definition{s.Query, s.Mutation} {
			for _, f := range root.Fields {
				if !strings.HasPrefix(f.Name, "__") {
					require.Contains(w, cells, root.Name+"."+f.Name, "a field that the matrix does not know")
				}
			}
		}
		for _, p := range principals() {
			w.scope = &access.Scope{OrganizationID: w.org.ID, Principal: p}
			w.lists(p, cells, all)
			w.nodes(p, all)
			w.mutations(p, cells, all)
		}
	})
}

// refuses says whether a root field is refused, and holds that against the matrix.
func (w world) refuses(p access.Principal, cells map[string]map[access.Role]string, field string, a answer) bool {
	w.Helper()
	cell, known := cells[field]
	require.True(w, known, field)
	may := mayUse(p, cell[p.Role]) && (!p.AssignedOnly || !slices.Contains(
		[]string{
			"Query.psaVendors", "Query.psaConnections", "Mutation.connectPsa", "Mutation.updatePsaConnection", "Mutation.disconnectPsa",
			"Mutation.verifyPsaConnection", "Mutation.mapTenantToCompany", "Mutation.sendTestTicket",
			"Query.members", "Query.invitations", "Query.apiKeys", "Mutation.createTenant", "Mutation.inviteMember", "Mutation.resendInvitation",
			"Mutation.revokeInvitation", "Mutation.updateMember", "Mutation.removeMember", "Mutation.createApiKey", "Mutation.deleteApiKey",
		}, field))
	refused := len(a.Errors) > 0 && a.Errors[0].Extensions["code"] == "FORBIDDEN"
	require.Equal(w, !may, refused, "%s as %+v: %s", field, p, a.body)
	return refused
}

func (w world) lists(p access.Principal, cells map[string]map[access.Role]string, all []client) {
	w.Helper()
	var want []string
	incidents, hidden := 0, 0
	for _, c := range all {
		if c.name != "foreign" && c.visible(p) {
			want = append(want, c.name)
			incidents++
			if seesUnpublished(p) {
				incidents++
				hidden++
			}
		}
	}
	slices.Sort(want)
	for field, query := range map[string]string{
		"tenants":       `{tenants{totalCount nodes{name}}}`,
		"accounts":      `{accounts{totalCount nodes{tenant{name}}}}`,
		"incidents":     `{incidents(first:30){totalCount nodes{tenant{name} account{tenant{name}} findings(first:3){nodes{tenant{name} evidence(first:3){nodes{raw tenant{name}}}}}}}}`,
		"activities":    `{activities(filter:{}){totalCount nodes{tenant{name}}}}`,
		"failedAttacks": `{failedAttacks{total topAccounts{account{tenant{name}}}}}`,
		"tickets":       `{tickets{totalCount nodes{externalNumber tenant{name} incident{tenant{name}}}}}`,
		"auditLog":      `{auditLog(filter:{actions:["test"]}){totalCount nodes{tenant{name} principalName address}}}`,
	} {
		a := w.ask(query)
		if w.refuses(p, cells, "Query."+field, a) {
			continue
		}
		require.Empty(w, a.Errors, "%s as %+v: %s", field, p, a.body)
		require.Equal(w, want, names(w.T, string(a.Data)), "%s as %+v: %s", field, p, a.body)
		counts := map[string]int{"incidents": incidents, "auditLog": incidents, "tickets": incidents}
		if n, ok := counts[field]; ok {
			require.Contains(w, a.body, fmt.Sprintf(`"totalCount":%d`, n), "%s as %+v", field, p)
		}
		if field == "auditLog" && incidents > 0 {
			require.Equal(w, p.Role != access.RoleExternalGuest, strings.Contains(a.body, "Xenia"), "guests know staff as the organization")
			require.Equal(w, p.Role != access.RoleExternalGuest, strings.Contains(a.body, "192.0.2.1"))
		}
	}
	for field, query := range map[string]string{
		"members": `{members{totalCount}}`, "invitations": `{invitations{totalCount}}`, "apiKeys": `{apiKeys{totalCount}}`,
		"viewer":       `{viewer{role permissions tenants{nodes{name}} sessions{id}}}`,
		"organization": `{organization{id createdAt}}`, "psaVendors": `{psaVendors{kind}}`, "psaConnections": `{psaConnections{nodes{id}}}`,
	} {
		a := w.ask(query)
		if !w.refuses(p, cells, "Query."+field, a) && field == "viewer" {
			require.Equal(w, want, names(w.T, string(a.Data)))
		}
	}
	// Filters open nothing, and counts tell nothing.
	for _, c := range all {
		if slices.Contains(want, c.name) || p.Role == access.RoleSales || p.Role == access.RoleBilling {
			continue
		}
		w.expect(`{"tenants":{"totalCount":0},"accounts":{"totalCount":0},"incidents":{"totalCount":0},"activities":{"totalCount":0},"failedAttacks":{"total":0}}`,
			`query($t:[ID!]){tenants(filter:{ids:$t}){totalCount} accounts(filter:{tenantIds:$t}){totalCount} incidents(filter:{tenantIds:$t}){totalCount}
			activities(filter:{tenantIds:$t}){totalCount} failedAttacks(filter:{tenantIds:$t}){total}}`, "t", []string{c.tenant.ID})
	}
	if hidden == 0 && p.Role != access.RoleSales && p.Role != access.RoleBilling {
		w.expect(`{"incidents":{"totalCount":0},"incident":null}`, `query($n:Int!){incidents(filter:{published:false}){totalCount} incident(number:$n){id}}`,
			"n", all[1].unpublished.Number)
	}
}

// nodes asks for objects by id: out of scope they are as ids that never existed.
func (w world) nodes(p access.Principal, all []client) {
	w.Helper()
	reads := p.Role != access.RoleSales && p.Role != access.RoleBilling
	for _, c := range all {
		visible := c.name != "foreign" && c.visible(p)
		for id, want := range map[string]bool{
			c.account.ID: visible, c.activity.ID: visible, c.published.ID: visible,
			c.unpublished.ID: visible && seesUnpublished(p), c.hidden.ID: visible && seesUnpublished(p),
			typeid.New("incident"): false,
		} {
			a := w.ask(`query($id:ID!){node(id:$id){id}}`, "id", id)
			switch {
			case !reads:
				require.Equal(w, "FORBIDDEN", a.code(w), "as %+v: %s", p, a.body)
			case want:
				require.JSONEq(w, `{"node":{"id":"`+id+`"}}`, string(a.Data), "%s of %s as %+v", id, c.name, p)
			default:
				require.JSONEq(w, `{"node":null}`, string(a.Data), "%s of %s as %+v", id, c.name, p)
				require.Empty(w, a.Errors)
			}
		}
	}
}

// mutations tries each on what hangs on each tenant; what is not reached is not
// found, in the words that stand for an id that never existed.
func (w world) mutations(p access.Principal, cells map[string]map[access.Role]string, all []client) {
	w.Helper()
	refused := func(a answer) string {
		for code := range strings.SplitSeq("NOT_FOUND INVALID TAKEN CONFLICT", " ") {
			if strings.Contains(a.body, `"code":"`+code+`"`) {
				return code
			}
		}
		return ""
	}
	for _, c := range all {
		visible := c.name != "foreign" && c.visible(p)
		for id, want := range map[string]bool{c.published.ID: visible, c.unpublished.ID: visible && seesUnpublished(p)} {
			a := w.ask(`mutation($id:ID!){updateIncident(input:{id:$id,status:OPEN,reason:"stays"}){incident{id} userErrors{code}}}`, "id", id)
			if !w.refuses(p, cells, "Mutation.updateIncident", a) {
				require.Equal(w, map[bool]string{true: "", false: "NOT_FOUND"}[want], refused(a), "%s as %+v: %s", c.name, p, a.body)
			}
		}
		a := w.ask(`mutation($id:ID!){publishIncident(input:{id:$id}){incident{id} userErrors{code}}}`, "id", c.published.ID)
		if !w.refuses(p, cells, "Mutation.publishIncident", a) {
			require.Equal(w, map[bool]string{true: "", false: "NOT_FOUND"}[visible], refused(a), "%s as %+v: %s", c.name, p, a.body)
		}
		a = w.ask(`mutation($id:ID!,$n:String!){updateTenant(input:{id:$id,name:$n}){tenant{id} userErrors{code}}}`, "id", c.tenant.ID, "n", c.name)
		if p.Role == access.RoleBilling || !w.refuses(p, cells, "Mutation.updateTenant", a) {
			want := map[bool]string{true: "", false: "NOT_FOUND"}[visible]
			if p.Role != access.RoleBilling {
				require.Equal(w, want, refused(a), "%s as %+v: %s", c.name, p, a.body)
			}
		}
		a = w.ask(`mutation($id:ID!,$s:Boolean!){updateTenant(input:{id:$id,sensitive:$s}){tenant{id} userErrors{code}}}`, "id", c.tenant.ID, "s", c.sensitive)
		require.Equal(w, p.Role != access.RoleAdmin, strings.Contains(a.body, "FORBIDDEN"), "marking is an Admin's: as %+v: %s", p, a.body)
	}
	// What these would do is tried elsewhere; here each is refused before it acts.
	for field, query := range map[string]string{
		"createTenant":        `mutation{createTenant(input:{name:""}){userErrors{code}}}`,
		"inviteMember":        `mutation{inviteMember(input:{email:"x",role:ADMIN}){userErrors{code}}}`,
		"resendInvitation":    `mutation{resendInvitation(input:{id:"x"}){userErrors{code}}}`,
		"revokeInvitation":    `mutation{revokeInvitation(input:{id:"x"}){userErrors{code}}}`,
		"updateMember":        `mutation{updateMember(input:{id:"x"}){userErrors{code}}}`,
		"removeMember":        `mutation{removeMember(input:{id:"x"}){userErrors{code}}}`,
		"createApiKey":        `mutation{createApiKey(input:{name:"x",role:EXTERNAL_GUEST}){userErrors{code}}}`,
		"deleteApiKey":        `mutation{deleteApiKey(input:{id:"x"}){userErrors{code}}}`,
		"connectPsa":          `mutation{connectPsa(input:{kind:CONNECTWISE,name:"",fields:[]}){userErrors{code}}}`,
		"updatePsaConnection": `mutation{updatePsaConnection(input:{id:"x"}){userErrors{code}}}`,
		"disconnectPsa":       `mutation{disconnectPsa(input:{id:"x"}){userErrors{code}}}`,
		"verifyPsaConnection": `mutation{verifyPsaConnection(input:{id:"x"}){userErrors{code}}}`,
		"mapTenantToCompany":  `mutation{mapTenantToCompany(input:{connectionId:"x",tenantId:"x",companyId:"1"}){userErrors{code}}}`,
		"sendTestTicket":      `mutation{sendTestTicket(input:{connectionId:"x"}){userErrors{code}}}`,
		"createTicket":        `mutation{createTicket(input:{connectionId:"x",incidentId:"x"}){userErrors{code}}}`,
		"retryTicket":         `mutation{retryTicket(input:{id:"x"}){userErrors{code}}}`,
		"endSession":          `mutation{endSession(input:{id:"x"}){userErrors{code}}}`,
	} {
		a := w.ask(query)
		if !w.refuses(p, cells, "Mutation."+field, a) {
			require.NotEmpty(w, refused(a), a.body)
		}
	}
}
