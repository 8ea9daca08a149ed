package microsoft

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// object is a record of the directory as Graph shows it.
type object = map[string]any

// Tenant is one directory of the cloud, and what goes wrong in it.
type Tenant struct {
	ID string
	// Faults meets its calls; a fault's Resource is the path without "v1.0/" or
	// "beta/" left out, e.g. "v1.0/users/delta" or "activity/feed/subscriptions/content".
	Faults *psa.Faults

	cloud *Cloud
	world *simulator.Tenant

	mu       sync.Mutex
	premium  bool // Entra ID P1
	auditOn  bool
	lag      time.Duration // until a change is seen by readers
	consents map[string]*consent
	later    []effect
	revision int64 // of the newest change

	users    map[string]object
	changed  map[string]int64 // revision at which a user changed last
	removed  map[string]bool
	deltas   int64 // delta links of this revision and before are forgotten
	devices  []object
	owners   map[string]string // device to account
	methods  map[string][]object
	rules    map[string][]*rule
	forwards map[string]forwarding
	grants   []object
	apps     []object
	roles    []object
	mail     map[string][]object
	delegate map[string][]object
	passing  []object // transport rules
	kinds    map[string]string
	ended    map[string]time.Time // accounts whose sessions were ended last
	disabled map[string]time.Time
	refusing map[string]bool        // mailboxes that Exchange refuses
	strong   bool                   // the applications hold roles that let them act on administrators
	reported map[string][]time.Time // calls of reports, by application

	books
}

// consent is what a tenant granted an application.
type consent struct {
	roles    map[string][]string
	disabled bool
}

// effect is a change that readers see later.
type effect struct {
	at time.Time
	do func()
}

type forwarding struct {
	address, smtp string
	keeps         bool
}

// rule is an inbox rule, which Graph and Exchange show in words of their own.
type rule struct {
	id, name                  string
	enabled, hidden           bool
	sendsTo                   []string
	movesTo                   string
	deletes, marksRead, stops bool
	words                     []string
}

// The directory's ids of one thing in one tenant are always the same.
func (t *Tenant) guid(what ...string) string {
	sum := sha256.Sum256([]byte(t.ID + "\x00" + strings.Join(what, "\x00")))
	id, err := uuid.FromBytes(sum[:16])
	if err != nil {
		panic(err) // sixteen bytes are always an id
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

const (
	globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"
	skuPremium          = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46" // SPB: Business Premium, with P1
	skuBasic            = "3b555118-da6a-4418-894f-7df1e2096870" // O365_BUSINESS_ESSENTIALS
)

func newTenant(c *Cloud, of *simulator.Tenant) *Tenant {
	t := &Tenant{
		ID: of.ID.String(), Faults: psa.NewFaults(2), cloud: c, world: of, premium: of.SignInLog, auditOn: true,
		consents: map[string]*consent{}, users: map[string]object{}, changed: map[string]int64{}, removed: map[string]bool{},
		owners: map[string]string{}, methods: map[string][]object{}, rules: map[string][]*rule{}, forwards: map[string]forwarding{},
		mail: map[string][]object{}, delegate: map[string][]object{}, kinds: map[string]string{}, ended: map[string]time.Time{},
		disabled: map[string]time.Time{}, reported: map[string][]time.Time{}, refusing: map[string]bool{}, books: newBooks(),
	}
	made := c.clock.Now().AddDate(-2, 0, 0)
	for i, a := range of.Accounts {
		id := a.ObjectID.String()
		t.users[id] = t.newUser(id, a.UserPrincipalName, a.DisplayName, made.Add(time.Duration(i)*time.Hour))
		t.touch(id)
		if a.Administrator {
			t.roles = append(t.roles, t.assignment(id, globalAdministrator))
		}
		t.kinds[id] = "UserMailbox"
		if a.Automation {
			continue
		}
		device := object{
			"id": t.guid("device", id), "deviceId": t.guid("device id", id), "displayName": "LAPTOP-" + strings.ToUpper(id[:6]),
			"operatingSystem": "Windows", "trustType": "AzureAd", "accountEnabled": true, "isCompliant": true, "isManaged": true,
			"registrationDateTime": stamp(made.AddDate(0, 1, 0)), "approximateLastSignInDateTime": stamp(c.clock.Now().AddDate(0, 0, -1)),
		}
		t.devices = append(t.devices, device)
		t.owners[device["id"].(string)] = id //nolint:forcetypeassert // set above
		t.methods[id] = []object{
			{"@odata.type": "#microsoft.graph.passwordAuthenticationMethod", "id": passwordMethod, "createdDateTime": stamp(made)},
			{"@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod", "id": t.guid("authenticator", id), "displayName": "Phone", "createdDateTime": stamp(made)},
		}
	}
	t.apps = append(t.apps, object{
		"id": t.guid("service principal", "graph"), "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph",
		"accountEnabled": true, "servicePrincipalType": "Application", "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
		"replyUrls": []string{}, "passwordCredentials": []object{}, "keyCredentials": []object{},
	})
	return t
}

// passwordMethod is the id of every account's password.
const passwordMethod = "28c10230-6103-485e-b985-444c60001490"

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func (t *Tenant) newUser(id, name, shown string, made time.Time) object {
	sku := skuBasic
	if t.premium {
		sku = skuPremium
	}
	return object{
		"id": id, "userPrincipalName": name, "displayName": shown, "mail": name, "userType": "Member", "externalUserState": nil,
		"accountEnabled": true, "onPremisesSyncEnabled": nil, "assignedLicenses": []object{{"skuId": sku, "disabledPlans": []string{}}},
		"createdDateTime": stamp(made), "lastPasswordChangeDateTime": stamp(made), "signInSessionsValidFromDateTime": stamp(made),
	}
}

func (t *Tenant) assignment(principal, role string) object {
	return object{"id": t.guid("assignment", principal, role), "principalId": principal, "roleDefinitionId": role, "directoryScopeId": "/"}
}

// touch marks a user as changed now.
func (t *Tenant) touch(id string) {
	t.revision++
	t.changed[id] = t.revision
}

// change has an effect be seen when the tenant's lag is over.
func (t *Tenant) change(do func()) {
	if t.lag == 0 {
		do()
		return
	}
	t.later = append(t.later, effect{t.cloud.clock.Now().Add(t.lag), do})
}

// settle lets what is due take effect.
func (t *Tenant) settle(now time.Time) {
	for {
		due := slices.IndexFunc(t.later, func(e effect) bool { return !e.at.After(now) })
		if due < 0 {
			return
		}
		e := t.later[due]
		t.later = slices.Delete(t.later, due, due+1)
		e.do()
	}
}

// locked runs f under the tenant's lock, when what is due has taken effect.
func (t *Tenant) locked(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(t.cloud.clock.Now())
	f()
}

// World is the tenant in the simulated world.
func (t *Tenant) World() *simulator.Tenant { return t.world }

// SetPremium gives or takes Entra ID P1.
func (t *Tenant) SetPremium(on bool) { t.locked(func() { t.premium = on }) }

// SetAuditOn turns unified auditing on or off.
func (t *Tenant) SetAuditOn(on bool) { t.locked(func() { t.auditOn = on }) }

// SetLag says how long changes take to be seen.
func (t *Tenant) SetLag(lag time.Duration) { t.locked(func() { t.lag = lag }) }

// SetSynced makes an account one whose master is on premises.
func (t *Tenant) SetSynced(account string, synced bool) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			u["onPremisesSyncEnabled"] = synced
			t.touch(u["id"].(string)) //nolint:forcetypeassert // ids are texts
		}
	})
}

// SetMailboxKind makes a mailbox SharedMailbox, RoomMailbox, EquipmentMailbox or
// UserMailbox; "" takes it away.
func (t *Tenant) SetMailboxKind(account, kind string) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			t.kinds[u["id"].(string)] = kind //nolint:forcetypeassert // ids are texts
		}
	})
}

// AddGuest invites somebody from outside, and returns the object id.
func (t *Tenant) AddGuest(address string) string {
	id := t.guid("guest", address)
	t.locked(func() {
		u := t.newUser(id, strings.ReplaceAll(address, "@", "_")+"#EXT#@"+t.world.OnMicrosoftName, address, t.cloud.clock.Now())
		u["userType"], u["externalUserState"], u["mail"], u["assignedLicenses"] = "Guest", "Accepted", address, []object{}
		t.users[id] = u
		t.touch(id)
	})
	return id
}

// RemoveUser deletes an account.
func (t *Tenant) RemoveUser(account string) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			id := u["id"].(string) //nolint:forcetypeassert // ids are texts
			delete(t.users, id)
			t.removed[id] = true
			t.touch(id)
		}
	})
}

// ForgetDeltas has delta links given so far be answered with "resync".
func (t *Tenant) ForgetDeltas() {
	t.locked(func() {
		t.revision++
		t.deltas = t.revision
	})
}

// HideRule makes an inbox rule that only Exchange's administrators see.
func (t *Tenant) HideRule(account, name, sendsTo string) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			id := u["id"].(string) //nolint:forcetypeassert // ids are texts
			t.rules[id] = append(t.rules[id], &rule{id: t.guid("rule", id, name), name: name, enabled: true, hidden: true, sendsTo: []string{sendsTo}})
		}
	})
}

// Consent grants an application what it asks for, or only what allow lets
// through where there is one.
func (t *Tenant) Consent(clientID string, allow ...func(permission string) bool) {
	t.cloud.mu.Lock()
	app := t.cloud.apps[clientID]
	t.cloud.mu.Unlock()
	t.locked(func() {
		given := &consent{roles: map[string][]string{}}
		for audience, names := range app.Permissions {
			for _, name := range names {
				if len(allow) == 0 || allow[0](name) {
					given.roles[audience] = append(given.roles[audience], name)
				}
			}
		}
		t.consents[clientID] = given
	})
}

// Withdraw takes an application's consent back. Tokens given live on.
func (t *Tenant) Withdraw(clientID string) { t.locked(func() { delete(t.consents, clientID) }) }

// Consented says whether the tenant consented to an application.
func (t *Tenant) Consented(clientID string) bool { return t.consent(clientID) != nil }

func (t *Tenant) consent(clientID string) *consent {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.consents[clientID]; found != nil {
		return &consent{maps.Clone(found.roles), found.disabled}
	}
	return nil
}

// find returns a user by id or name; nil where there is none.
func (t *Tenant) find(account string) object {
	if u := t.users[strings.ToLower(account)]; u != nil {
		return u
	}
	for _, u := range t.users {
		if name, ok := u["userPrincipalName"].(string); ok && strings.EqualFold(name, account) {
			return u
		}
	}
	return nil
}

// account is find under the lock, a copy.
func (t *Tenant) account(account string) object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.find(account))
}

// rolesOf are the template ids of the directory roles an account holds.
func (t *Tenant) rolesOf(account string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	roles := []string{}
	if u := t.find(account); u != nil {
		for _, a := range t.roles {
			if a["principalId"] == u["id"] {
				roles = append(roles, a["roleDefinitionId"].(string)) //nolint:forcetypeassert // ids are texts
			}
		}
	}
	return roles
}

func (t *Tenant) administers(account string) bool {
	return slices.Contains(t.rolesOf(account), globalAdministrator)
}

// LetActOnAdministrators gives applications' service principals the role they
// need to change accounts of administrators.
func (t *Tenant) LetActOnAdministrators(yes bool) { t.locked(func() { t.strong = yes }) }
