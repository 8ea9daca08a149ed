package microsoft365

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// User is an account as the directory has it. In changes (UserChanges) only
// what Has says was told; the rest is as it was.
type User struct {
	ObjectID          string
	UserPrincipalName string
	DisplayName       string
	Mail              string
	UserType          string // Member, Guest; "" in old accounts, which are members
	ExternalState     string // of a guest: PendingAcceptance, Accepted
	Enabled           bool
	Synced            bool     // its master is a directory on premises
	SKUs              []string // ids of the licences assigned
	CreatedAt         time.Time
	PasswordChangedAt time.Time
	// SessionsValidFrom is when its sessions were revoked last.
	SessionsValidFrom time.Time
	// Removed says that the account is gone, for good or to the recycle bin.
	Removed bool

	has []string
}

// Has says whether Microsoft told a property, by Graph's name for it. A null is
// told.
func (u User) Has(property string) bool { return u.has == nil || slices.Contains(u.has, property) }

// UserPage is a piece of the directory's accounts or of their changes.
type UserPage struct {
	Users []User
	Next  string // verbatim; "" at the end
	Delta string // at the end: where the next changes begin
}

// userProperties are those read of an account. Delta queries refuse signInActivity.
var userProperties = []string{
	"id", "userPrincipalName", "displayName", "mail", "userType", "externalUserState", "accountEnabled", "onPremisesSyncEnabled",
	"assignedLicenses", "createdDateTime", "lastPasswordChangeDateTime", "signInSessionsValidFromDateTime",
}

// UserChanges lists the accounts (from is ""), or what changed since a page's
// Delta, or goes on from a page's Next. The same account may come more than
// once: the last holds. ReasonResync: the place is forgotten, read all again and
// take for gone what does not come. Licences change without a delta now and then
// and places live seven days: read all once a week anyway.
func (t *Tenant) UserChanges(ctx context.Context, from string) iter.Seq2[UserPage, error] {
	const doing = "read accounts"
	return func(yield func(UserPage, error) bool) {
		builder := t.graph.users().Delta()
		config := &users.DeltaRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.DeltaRequestBuilderGetQueryParameters{Select: userProperties},
		}
		if from != "" {
			builder, config = builder.WithUrl(from), nil
		}
		for seen := map[string]bool{from: from != ""}; ; {
			answer, err := builder.GetAsDeltaGetResponse(ctx, config)
			if err != nil {
				yield(UserPage{}, sdkError(doing, err))
				return
			}
			if answer == nil {
				yield(UserPage{}, fail(ReasonProtocol, doing, "the answer is empty"))
				return
			}
			page := UserPage{Next: value(answer.GetOdataNextLink()), Delta: value(answer.GetOdataDeltaLink())}
			for _, u := range answer.GetValue() {
				page.Users = append(page.Users, readUser(u))
			}
			if page.Next != "" && seen[page.Next] {
				yield(UserPage{}, fail(ReasonProtocol, doing, "the list leads back to a page that was read"))
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			seen[page.Next] = true
			builder, config = builder.WithUrl(page.Next), nil
		}
	}
}

// User reads one account.
func (t *Tenant) User(ctx context.Context, id string) (User, error) {
	u, err := t.graph.user(id).Get(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: userProperties},
	})
	if err != nil {
		return User{}, sdkError("read an account", err)
	}
	read := readUser(u)
	read.has = nil // all of it was asked for
	return read, nil
}

func readUser(u models.Userable) User {
	read := User{
		ObjectID: value(u.GetId()), UserPrincipalName: value(u.GetUserPrincipalName()), DisplayName: value(u.GetDisplayName()),
		Mail: value(u.GetMail()), UserType: value(u.GetUserType()), ExternalState: value(u.GetExternalUserState()),
		Enabled: value(u.GetAccountEnabled()), Synced: value(u.GetOnPremisesSyncEnabled()), CreatedAt: value(u.GetCreatedDateTime()),
		PasswordChangedAt: value(u.GetLastPasswordChangeDateTime()), SessionsValidFrom: value(u.GetSignInSessionsValidFromDateTime()),
		has: []string{},
	}
	for _, license := range u.GetAssignedLicenses() {
		if id := license.GetSkuId(); id != nil {
			read.SKUs = append(read.SKUs, id.String())
		}
	}
	_, read.Removed = u.GetAdditionalData()["@removed"]
	for name, told := range map[string]bool{
		"userPrincipalName": u.GetUserPrincipalName() != nil, "displayName": u.GetDisplayName() != nil, "mail": u.GetMail() != nil,
		"userType": u.GetUserType() != nil, "externalUserState": u.GetExternalUserState() != nil, "accountEnabled": u.GetAccountEnabled() != nil,
		"onPremisesSyncEnabled": u.GetOnPremisesSyncEnabled() != nil, "assignedLicenses": u.GetAssignedLicenses() != nil,
		"createdDateTime": u.GetCreatedDateTime() != nil, "lastPasswordChangeDateTime": u.GetLastPasswordChangeDateTime() != nil,
		"signInSessionsValidFromDateTime": u.GetSignInSessionsValidFromDateTime() != nil,
	} {
		if told {
			read.has = append(read.has, name)
		}
	}
	return read
}

// value is what a pointer of the SDK points to, or nothing.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// RoleAssignment is a directory role that somebody holds.
type RoleAssignment struct {
	ID        string          `json:"id"`
	Principal string          `json:"principalId"` // a user, group or service principal
	Role      string          `json:"roleDefinitionId"`
	Scope     string          `json:"directoryScopeId"` // "/" is the whole directory
	Raw       json.RawMessage `json:"-"`
}

// RoleDefinition is a directory role. A built-in role's id is its template id,
// the same in every tenant.
type RoleDefinition struct {
	ID         string          `json:"id"`
	TemplateID string          `json:"templateId"`
	Name       string          `json:"displayName"`
	BuiltIn    bool            `json:"isBuiltIn"`
	Raw        json.RawMessage `json:"-"`
}

// RoleAssignments reads who holds which directory role, of one principal or
// (principal "") of all.
func (t *Tenant) RoleAssignments(ctx context.Context, principal string) ([]RoleAssignment, error) {
	query := url.Values{}
	if principal != "" {
		query.Set("$filter", "principalId eq "+quote(principal))
	}
	q := request{doing: "read role assignments", address: t.at("v1.0", "roleManagement/directory/roleAssignments", query)}
	return records(t.list(ctx, q, ""), q.doing, func(r *RoleAssignment, raw json.RawMessage) { r.Raw = raw })
}

// RoleDefinitions reads the directory's roles.
func (t *Tenant) RoleDefinitions(ctx context.Context) ([]RoleDefinition, error) {
	q := request{doing: "read roles", address: t.at("v1.0", "roleManagement/directory/roleDefinitions", nil)}
	return records(t.list(ctx, q, ""), q.doing, func(r *RoleDefinition, raw json.RawMessage) { r.Raw = raw })
}

// DirectoryRoles are the template ids of the roles that an account holds over
// the whole directory, directly: what MayConsent wants.
func (t *Tenant) DirectoryRoles(ctx context.Context, account string) ([]string, error) {
	assignments, err := t.RoleAssignments(ctx, account)
	var roles []string
	for _, a := range assignments {
		if a.Scope == "/" {
			roles = append(roles, strings.ToLower(a.Role))
		}
	}
	return roles, err
}

// MailboxPurpose is Graph's word for an account's mailbox: user, linked, shared,
// room, equipment, others. ReasonNoMailbox: it has none; ReasonMailbox: unknown
// for now.
func (t *Tenant) MailboxPurpose(ctx context.Context, account string) (string, error) {
	var answer struct {
		Value string `json:"value"`
	}
	err := t.read(ctx, request{
		doing:   "read the kind of a mailbox",
		address: t.at("v1.0", "users/"+url.PathEscape(account)+"/mailboxSettings/userPurpose", nil),
	}, &answer)
	return answer.Value, err
}

// Device is a device that the directory knows.
type Device struct {
	ObjectID     string          `json:"id"`       // for calls
	DeviceID     string          `json:"deviceId"` // as sign-ins name it
	Name         string          `json:"displayName"`
	System       string          `json:"operatingSystem"`
	TrustType    string          `json:"trustType"` // Workplace, AzureAd, ServerAd
	Enabled      bool            `json:"accountEnabled"`
	Compliant    bool            `json:"isCompliant"`
	Managed      bool            `json:"isManaged"`
	RegisteredAt time.Time       `json:"registrationDateTime"`
	LastSignIn   time.Time       `json:"approximateLastSignInDateTime"`
	Raw          json.RawMessage `json:"-"`
}

// Devices reads the devices registered by an account or, where account is "", all.
func (t *Tenant) Devices(ctx context.Context, account string) ([]Device, error) {
	path := "devices"
	if account != "" {
		path = "users/" + url.PathEscape(account) + "/registeredDevices"
	}
	q := request{doing: "read devices", address: t.at("v1.0", path, nil)}
	return records(t.list(ctx, q, ""), q.doing, func(d *Device, raw json.RawMessage) { d.Raw = raw })
}

// Method is a way for an account to prove who it is.
type Method struct {
	ID        string          `json:"id"`
	Type      string          `json:"@odata.type"` // #microsoft.graph.phoneAuthenticationMethod, …
	CreatedAt time.Time       `json:"createdDateTime"`
	Name      string          `json:"displayName"`
	Phone     string          `json:"phoneNumber"`
	Email     string          `json:"emailAddress"`
	Raw       json.RawMessage `json:"-"`
}

// Kind is the method's type without Microsoft's decoration: phone, fido2,
// microsoftAuthenticator, softwareOath, password and so on.
func (m Method) Kind() string {
	return strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethod")
}

// Methods reads an account's authentication methods.
func (t *Tenant) Methods(ctx context.Context, account string) ([]Method, error) {
	q := request{
		doing:   "read authentication methods",
		address: t.at("v1.0", "users/"+url.PathEscape(account)+"/authentication/methods", nil),
	}
	return records(t.list(ctx, q, ""), q.doing, func(m *Method, raw json.RawMessage) { m.Raw = raw })
}

// quote is a text within a filter.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
