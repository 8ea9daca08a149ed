package simulator

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// modified is a property an audited operation changed. Values are JSON inside text, or plain text.
type modified struct{ Name, NewValue, OldValue string }

// directoryChange is a unified audit record of type 8.
type directoryChange struct {
	header
	AzureActiveDirectoryEventType int
	ExtendedProperties            []nameValue
	ModifiedProperties            []modified
	Actor                         []typedID
	ActorContextID                uuid.UUID `json:"ActorContextId"`
	ActorIPAddress                *string   `json:"ActorIpAddress,omitempty"`
	InterSystemsID                uuid.UUID `json:"InterSystemsId"`
	IntraSystemID                 uuid.UUID `json:"IntraSystemId"`
	SupportTicketID               string    `json:"SupportTicketId"`
	Target                        []typedID
	TargetContextID               uuid.UUID `json:"TargetContextId"`
}

// directoryAct is what somebody does in the directory.
type directoryAct struct {
	operation string
	category  string // extendedAuditEventCategory: User, Role, ServicePrincipal …
	object    string
	target    []typedID
	changes   []modified
	agent     string    // in additionalDetails, where the portal says it
	request   uuid.UUID // shared by the records of one request
}

// directory writes an act of a person. The address is missing, empty, the
// person's or a Microsoft one: all four occur.
func (s *scribe) directory(at time.Time, who presence, act directoryAct) string {
	a := who.account
	h := s.header(at, "AzureActiveDirectory", 8, act.operation)
	h.ResultStatus, h.UserKey, h.ObjectID, h.UserID = "Success", a.PUID+"@"+s.tenant.Domain, act.object, a.UserPrincipalName
	switch s.IntN(4) {
	case 0:
		h.ClientIP = new("")
	case 1:
		h.ClientIP = new(who.place.address.String())
	case 2:
		h.ClientIP = new(serviceHops[s.IntN(len(serviceHops))].pick(s.dice).address.String())
	}
	actor := append([]typedID{{a.UserPrincipalName, 5}, {a.PUID, 3}}, entity("User", a.ObjectID)...)
	return s.directoryRecord(at, h, actor, act)
}

// directoryService writes an act of one of Microsoft's own services.
func (s *scribe) directoryService(at time.Time, name string, act directoryAct) {
	h := s.header(at, "AzureActiveDirectory", 8, act.operation)
	h.ResultStatus, h.UserKey, h.UserType, h.ObjectID, h.UserID = "Success", "Not Available", 4, act.object, "Certificate"
	s.directoryRecord(at, h, []typedID{{name, 1}, {"Certificate", 2}, {"Other", 2}}, act)
}

func (s *scribe) directoryRecord(at time.Time, h header, actor []typedID, act directoryAct) string {
	details := "{}"
	if act.agent != "" {
		details = `{"User-Agent":"` + act.agent + `"}`
	}
	if act.request == uuid.Nil {
		act.request = s.uuid()
	}
	changes := act.changes
	if changes == nil {
		changes = []modified{}
	}
	return s.write(UnifiedAudit, at, h.ID, directoryChange{
		header: h, AzureActiveDirectoryEventType: 1,
		ExtendedProperties: []nameValue{{"additionalDetails", details}, {"extendedAuditEventCategory", act.category}},
		ModifiedProperties: changes, Actor: actor, ActorContextID: s.tenant.ID, ActorIPAddress: h.ClientIP,
		InterSystemsID: act.request, IntraSystemID: s.uuid(), Target: act.target, TargetContextID: s.tenant.ID,
	})
}

// entity names a directory object the three ways the log does.
func entity(kind string, id uuid.UUID) []typedID {
	return []typedID{{kind + "_" + id.String(), 2}, {id.String(), 2}, {kind, 2}}
}

func (a *Account) target() []typedID {
	return append(entity("User", a.ObjectID), typedID{a.UserPrincipalName, 5}, typedID{a.PUID, 3})
}

// listed is a value the way the directory writes a list of one text.
func listed(value string) string { return fmt.Sprintf("[\r\n  %q\r\n]", value) }

// replyAddress is an application's one reply address the way the directory writes it.
func replyAddress(url string) string {
	return strings.Join([]string{
		"[", "  {", `    "AddressType": 0,`, `    "Address": "` + url + `",`, `    "ReplyAddressClientType": 1,`,
		`    "ReplyAddressIndex": null,`, `    "IsReplyAddressDefault": false`, "  }", "]",
	}, "\r\n")
}

// addToRole writes that who gives the account a role.
func (s *scribe) addToRole(at time.Time, who presence, to *Account, role role) string {
	return s.directory(at, who, directoryAct{
		operation: "Add member to role.", category: "Role", object: to.UserPrincipalName, target: to.target(),
		changes: []modified{
			{Name: "Role.ObjectID", NewValue: s.world.dice("role", s.tenant.Name, role.name).uuid().String()},
			{Name: "Role.DisplayName", NewValue: role.name},
			{Name: "Role.TemplateId", NewValue: role.template},
			{Name: "Role.WellKnownObjectName", NewValue: role.wellKnown},
		},
	})
}

// role is a built-in directory role; the template ids are Microsoft's.
type role struct{ name, template, wellKnown string }

var globalAdministrator = role{"Global Administrator", "62e90394-69f5-4237-9190-012177145e10", "TenantAdmins"}

// addUser writes that who makes an account.
func (s *scribe) addUser(at time.Time, who presence, made *Account) string {
	name, _, _ := strings.Cut(made.UserPrincipalName, "@")
	return s.directory(at, who, directoryAct{
		operation: "Add user.", category: "User", object: made.UserPrincipalName, target: made.target(), agent: who.client.agent,
		changes: []modified{
			{Name: "AccountEnabled", NewValue: "[\r\n  true\r\n]", OldValue: "[]"},
			{Name: "DisplayName", NewValue: listed(made.DisplayName), OldValue: "[]"},
			{Name: "MailNickname", NewValue: listed(name), OldValue: "[]"},
			{Name: "StsRefreshTokensValidFrom", NewValue: listed(at.UTC().Format(time.RFC3339)), OldValue: "[]"},
			{Name: "UserPrincipalName", NewValue: listed(made.UserPrincipalName), OldValue: "[]"},
			{Name: "UserType", NewValue: listed("Member"), OldValue: "[]"},
			{
				Name:     "Included Updated Properties",
				NewValue: "AccountEnabled, DisplayName, MailNickname, StsRefreshTokensValidFrom, UserPrincipalName, UserType",
			},
		},
	})
}

const graphNames = "00000003-0000-0000-c000-000000000000/ags.windows.net;00000003-0000-0000-c000-000000000000;https://graph.microsoft.com"

// consent writes that who lets an application act for them: the service
// principal comes into being, the grant, the assignment and the consent, one
// request. It returns the ids of grant and consent.
func (s *scribe) consent(at time.Time, who presence, app application, scope, replyURL string) []string {
	return s.consentFor(at, who, app, scope, replyURL, false)
}

// consentFor is consent for the person alone, or by an administrator for everybody.
func (s *scribe) consentFor(at time.Time, who presence, app application, scope, replyURL string, everybody bool) []string {
	kind, admin := "Principal", "False"
	if everybody {
		kind, admin = "AllPrincipals", "True"
	}
	a, request := who.account, s.uuid()
	principal := s.world.dice("service principal", s.tenant.Name, app.id).uuid()
	resource := s.world.dice("service principal", s.tenant.Name, graph.id).uuid()
	target := append(entity("ServicePrincipal", principal), typedID{app.name, 1}, typedID{app.id, 2}, typedID{app.id, 4})
	act := func(operation, category, object string, target []typedID, changes []modified) string {
		return s.directory(at, who, directoryAct{
			operation: operation, category: category, object: object, target: target, changes: changes, agent: "EvoSTS", request: request,
		})
	}
	act("Add service principal.", "ServicePrincipal", app.id, target, []modified{
		{Name: "AccountEnabled", NewValue: "[\r\n  true\r\n]", OldValue: "[]"},
		{Name: "AppAddress", NewValue: replyAddress(replyURL), OldValue: "[]"},
		{Name: "AppPrincipalId", NewValue: listed(app.id), OldValue: "[]"},
		{Name: "DisplayName", NewValue: listed(app.name), OldValue: "[]"},
		{Name: "ServicePrincipalName", NewValue: listed(app.id), OldValue: "[]"},
		{Name: "Included Updated Properties", NewValue: "AccountEnabled, AppAddress, AppPrincipalId, DisplayName, ServicePrincipalName"},
		{Name: "TargetId.ServicePrincipalNames", NewValue: app.id},
	})
	granted := act("Add delegated permission grant.", "ServicePrincipal", graphNames,
		append(entity("ServicePrincipal", resource), typedID{graph.name, 1}, typedID{graph.id, 2}, typedID{graphNames, 4}), []modified{
			{Name: "DelegatedPermissionGrant.Scope", NewValue: " " + scope},
			{Name: "DelegatedPermissionGrant.ConsentType", NewValue: kind},
			{Name: "ServicePrincipal.ObjectID", NewValue: principal.String()},
			{Name: "ServicePrincipal.DisplayName"},
			{Name: "ServicePrincipal.AppId"},
			{Name: "ServicePrincipal.Name"},
			{Name: "TargetId.ServicePrincipalNames", NewValue: graphNames},
		})
	act("Add app role assignment grant to user.", "User", app.id, target, []modified{
		{Name: "AppRole.Id", NewValue: uuid.Nil.String()},
		{Name: "AppRole.Value"},
		{Name: "AppRole.DisplayName"},
		{Name: "User.ObjectID", NewValue: a.ObjectID.String()},
		{Name: "User.UPN", NewValue: a.UserPrincipalName},
		{Name: "User.PUID", NewValue: a.PUID},
		{Name: "TargetId.ServicePrincipalNames", NewValue: app.id},
	})
	grant := fmt.Sprintf("[] => [[Id: %s%s, ClientId: %s, PrincipalId: %s, ResourceId: %s, ConsentType: %s, Scope:  %s]]; ",
		s.token(), s.token(), principal, a.ObjectID, resource, kind, scope)
	consented := act("Consent to application.", "ServicePrincipal", app.id, target, []modified{
		{Name: "ConsentContext.IsAdminConsent", NewValue: admin},
		{Name: "ConsentContext.IsAppOnly", NewValue: "False"},
		{Name: "ConsentContext.OnBehalfOfAll", NewValue: admin},
		{Name: "ConsentContext.Tags", NewValue: "WindowsAzureActiveDirectoryIntegratedApp"},
		{Name: "ConsentAction.Permissions", NewValue: grant},
		{Name: "TargetId.ServicePrincipalNames", NewValue: app.id},
	})
	return []string{granted, consented}
}
