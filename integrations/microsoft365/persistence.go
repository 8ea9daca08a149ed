package microsoft365

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// RuleVia is the door through which an inbox rule was read; it is deleted
// through the same.
type RuleVia string

// The doors.
const (
	RuleViaGraph    RuleVia = "GRAPH"
	RuleViaExchange RuleVia = "EXCHANGE"
)

// InboxRule is a rule of a mailbox.
type InboxRule struct {
	ID      string
	Via     RuleVia
	Name    string
	Enabled bool
	// Hidden rules are seen by Exchange's administrators alone.
	Hidden bool
	// Opaque rules come without conditions and actions: Graph has no words for them.
	Opaque bool
	// SendsTo are addresses that mail is forwarded or redirected to.
	SendsTo []string
	// MovesTo is the folder (Graph: its id; Exchange: its path), Deletes says
	// that mail is deleted, MarksRead that it is marked as read.
	MovesTo            string
	Deletes, MarksRead bool
	Raw                json.RawMessage
}

// graphRule is a messageRule of Graph.
type graphRule struct {
	ID       string          `json:"id"`
	Name     string          `json:"displayName"`
	Enabled  bool            `json:"isEnabled"`
	ReadOnly bool            `json:"isReadOnly"`
	Cond     json.RawMessage `json:"conditions"`
	Actions  *struct {
		ForwardTo    []recipient `json:"forwardTo"`
		AsAttachment []recipient `json:"forwardAsAttachmentTo"`
		RedirectTo   []recipient `json:"redirectTo"`
		MoveTo       string      `json:"moveToFolder"`
		Delete       bool        `json:"delete"`
		Permanent    bool        `json:"permanentDelete"`
		MarkRead     bool        `json:"markAsRead"`
	} `json:"actions"`
	raw json.RawMessage
}

type recipient struct {
	Address struct {
		Address string `json:"address"`
	} `json:"emailAddress"`
}

// InboxRules reads an account's rules through Graph. Hidden ones are not among
// them (HiddenRules).
func (t *Tenant) InboxRules(ctx context.Context, account string) ([]InboxRule, error) {
	q := request{
		doing:   "read inbox rules",
		address: t.at("v1.0", "users/"+url.PathEscape(account)+"/mailFolders/inbox/messageRules", nil),
	}
	read, err := records(t.list(ctx, q, ""), q.doing, func(r *graphRule, raw json.RawMessage) { r.raw = raw })
	rules := make([]InboxRule, 0, len(read))
	for _, r := range read {
		rules = append(rules, r.rule())
	}
	return rules, err
}

func (r graphRule) rule() InboxRule {
	rule := InboxRule{ID: r.ID, Via: RuleViaGraph, Name: r.Name, Enabled: r.Enabled, Opaque: r.ReadOnly && r.Actions == nil, Raw: r.raw}
	if a := r.Actions; a != nil {
		for _, list := range [][]recipient{a.ForwardTo, a.AsAttachment, a.RedirectTo} {
			for _, to := range list {
				rule.SendsTo = append(rule.SendsTo, to.Address.Address)
			}
		}
		rule.MovesTo, rule.Deletes, rule.MarksRead = a.MoveTo, a.Delete || a.Permanent, a.MarkRead
	}
	return rule
}

// exchangeRule is what Get-InboxRule writes.
type exchangeRule struct {
	Identity   string `json:"Identity"`
	Name       string `json:"Name"`
	Enabled    flag   `json:"Enabled"`
	ForwardTo  texts  `json:"ForwardTo"`
	Attachment texts  `json:"ForwardAsAttachmentTo"`
	RedirectTo texts  `json:"RedirectTo"`
	MoveTo     string `json:"MoveToFolder"`
	Delete     flag   `json:"DeleteMessage"`
	Soft       flag   `json:"SoftDeleteMessage"`
	MarkRead   flag   `json:"MarkAsRead"`
	raw        json.RawMessage
}

// ExchangeRules reads an account's rules through Exchange, hidden ones marked.
// Exchange marks them in no way: they are those that come only when hidden ones
// are asked for. Rules that Exchange makes itself are left out.
func (t *Tenant) ExchangeRules(ctx context.Context, account string) ([]InboxRule, error) {
	read := func(hidden bool) ([]exchangeRule, error) {
		with := map[string]any{"Mailbox": account}
		if hidden {
			with["IncludeHidden"] = true
		}
		c := command{doing: "read inbox rules through Exchange", cmdlet: "Get-InboxRule", with: with, mailbox: account}
		return records(t.invoke(ctx, c), c.doing, func(r *exchangeRule, raw json.RawMessage) { r.raw = raw })
	}
	shown, err := read(false)
	if err != nil {
		return nil, err
	}
	all, err := read(true)
	if err != nil {
		return nil, err
	}
	visible := map[string]bool{}
	for _, r := range shown {
		visible[r.Identity] = true
	}
	var rules []InboxRule
	for _, r := range all {
		if r.Name == "Junk E-mail Rule" || strings.HasPrefix(r.Name, "Microsoft.Exchange.OOF.") {
			continue
		}
		rule := InboxRule{
			ID: r.Identity, Via: RuleViaExchange, Name: r.Name, Enabled: bool(r.Enabled), Hidden: !visible[r.Identity],
			MovesTo: r.MoveTo, Deletes: bool(r.Delete || r.Soft), MarksRead: bool(r.MarkRead), Raw: r.raw,
		}
		rule.SendsTo = append(append(append(rule.SendsTo, r.ForwardTo...), r.Attachment...), r.RedirectTo...)
		rules = append(rules, rule)
	}
	return rules, nil
}

// Grant is a delegated permission: an application (Client, a service principal)
// may act on an API (Resource, another) for one account or, where Principal is
// "", for all.
type Grant struct {
	ID          string          `json:"id"`
	Client      string          `json:"clientId"`
	ConsentType string          `json:"consentType"` // Principal, AllPrincipals
	Principal   string          `json:"principalId"`
	Resource    string          `json:"resourceId"`
	Scope       string          `json:"scope"` // separated by spaces
	Raw         json.RawMessage `json:"-"`
}

// Scopes are the permissions granted.
func (g Grant) Scopes() []string { return strings.Fields(g.Scope) }

// Grants reads the delegated permissions an account gave or, where account is
// "", all of the tenant.
func (t *Tenant) Grants(ctx context.Context, account string) ([]Grant, error) {
	path := "oauth2PermissionGrants"
	if account != "" {
		path = "users/" + url.PathEscape(account) + "/oauth2PermissionGrants"
	}
	q := request{doing: "read consent grants", address: t.at("v1.0", path, nil)}
	return records(t.list(ctx, q, ""), q.doing, func(g *Grant, raw json.RawMessage) { g.Raw = raw })
}

// Credential is a secret or certificate with which an application signs in.
type Credential struct {
	KeyID string    `json:"keyId"`
	Name  string    `json:"displayName"`
	Begin time.Time `json:"startDateTime"`
	End   time.Time `json:"endDateTime"`
	Type  string    `json:"type"` // of a certificate
}

// ServicePrincipal is an application's place in the tenant.
type ServicePrincipal struct {
	ID           string       `json:"id"`
	AppID        string       `json:"appId"`
	Name         string       `json:"displayName"`
	Enabled      bool         `json:"accountEnabled"`
	Type         string       `json:"servicePrincipalType"`
	Owner        string       `json:"appOwnerOrganizationId"` // the directory it is registered in
	ReplyURLs    []string     `json:"replyUrls"`
	DisabledByMS string       `json:"disabledByMicrosoftStatus"`
	CreatedAt    time.Time    `json:"createdDateTime"`
	Passwords    []Credential `json:"passwordCredentials"`
	Certificates []Credential `json:"keyCredentials"`
	Publisher    *struct {
		Name string `json:"displayName"`
		ID   string `json:"verifiedPublisherId"`
	} `json:"verifiedPublisher"`
	Raw json.RawMessage `json:"-"`
}

// ServicePrincipals reads the applications of the tenant.
func (t *Tenant) ServicePrincipals(ctx context.Context) ([]ServicePrincipal, error) {
	q := request{doing: "read applications", address: t.at("v1.0", "servicePrincipals", url.Values{"$top": {"999"}})}
	return records(t.list(ctx, q, ""), q.doing, func(s *ServicePrincipal, raw json.RawMessage) { s.Raw = raw })
}

// ServicePrincipal reads one application by its object id.
func (t *Tenant) ServicePrincipal(ctx context.Context, id string) (ServicePrincipal, error) {
	var s ServicePrincipal
	q := request{doing: "read an application", address: t.at("v1.0", "servicePrincipals/"+url.PathEscape(id), nil)}
	raw, _, err := t.do(ctx, q)
	if err != nil {
		return s, err
	}
	if json.Unmarshal(raw, &s) != nil {
		return s, fail(ReasonProtocol, q.doing, "the answer is not the JSON it should be")
	}
	s.Raw = raw
	return s, nil
}

// AppRole is an application permission that a service principal holds.
type AppRole struct {
	ID        string          `json:"id"`
	Role      string          `json:"appRoleId"`
	Principal string          `json:"principalId"`
	Resource  string          `json:"resourceId"`
	API       string          `json:"resourceDisplayName"`
	CreatedAt time.Time       `json:"createdDateTime"`
	Raw       json.RawMessage `json:"-"`
}

// AppRoles reads the application permissions that a service principal holds.
func (t *Tenant) AppRoles(ctx context.Context, servicePrincipal string) ([]AppRole, error) {
	q := request{
		doing:   "read application permissions",
		address: t.at("v1.0", "servicePrincipals/"+url.PathEscape(servicePrincipal)+"/appRoleAssignments", nil),
	}
	return records(t.list(ctx, q, ""), q.doing, func(r *AppRole, raw json.RawMessage) { r.Raw = raw })
}
