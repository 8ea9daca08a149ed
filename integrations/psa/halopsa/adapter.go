// Package halopsa speaks HaloPSA's REST API.
//
// Every vendor's folder has the same files: adapter.go (what it takes and what
// it is), call.go (one call, its errors, pages), verify.go (rights), company.go,
// choice.go (what can be chosen), ticket.go, change.go, note.go, author.go (who did
// something) and callback.go.
package halopsa

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// Limits of the API. Lengths are in characters; the vendor declares none.
const (
	maxSummary     = 250    // about 254 are taken (unverified)
	maxReference   = 100    // third_party_id_string: ours
	maxText        = 32_000 // of a note or description: ours
	pageSize       = 100
	maxRecords     = 50_000 // that one question may bring
	callsPerMinute = 55     // 300 in five minutes are refused above (its text of 429)
)

// Vendor is HaloPSA before anybody is connected to it.
var Vendor = psa.Vendor{
	Kind: "HALOPSA", Name: name, Fields: form,
	New: func(fields map[string]string, client *http.Client, now func() time.Time) (psa.Adapter, error) {
		return New(fields, client, now)
	},
}

const name = "HaloPSA"

// form is what a person enters.
var form = []psa.Field{
	{Name: "site", Label: "Resource server", Help: "from Configuration, Integrations, HaloPSA API, e.g. https://contoso.halopsa.com/api"},
	{Name: "tenant", Label: "Tenant", Help: "from the same page; an instance of one's own has none, and a hosted one tells it", Optional: true},
	{Name: "clientId", Label: "Client id", Help: "of an application there that signs in with client id and secret, as an agent"},
	{Name: "clientSecret", Label: "Client secret", Help: "HaloPSA shows it once, when the application is made", Secret: true},
	{Name: "scope", Label: "Scope", Help: "the permissions to ask for, where not all that the application has", Optional: true},
}

// Adapter is an instance of HaloPSA.
type Adapter struct {
	tenant, clientID, clientSecret, scope string

	wire  *wire.Caller // of the API
	door  *wire.Caller // of the place that gives tokens
	now   func() time.Time
	site  *url.URL
	token tokens

	// creating holds tickets back that would race for a number.
	creating sync.Mutex

	mu       sync.Mutex
	me       int // our agent
	statuses map[int]psa.Choice
	asked    time.Time // when the statuses were read
}

var (
	_ psa.Adapter          = (*Adapter)(nil)
	_ psa.ChangeLister     = (*Adapter)(nil)
	_ psa.CallbackReceiver = (*Adapter)(nil)
)

// New returns the adapter of an instance. It calls nobody. A *psa.Error of
// ReasonInvalid names the field that can't be right.
func New(fields map[string]string, client *http.Client, now func() time.Time) (*Adapter, error) {
	f, err := wire.Entered(form, fields)
	if err != nil {
		return nil, err
	}
	site, problem := wire.Site(f["site"])
	if problem != "" {
		return nil, wire.Invalid("connect", "site", problem)
	}
	if strings.ContainsAny(f["clientId"], " \t") {
		return nil, wire.Invalid("connect", "clientId", "there is a space within the client id: copy it again")
	}
	a := &Adapter{
		tenant: f["tenant"], clientID: f["clientId"], clientSecret: f["clientSecret"], scope: f["scope"], now: now, site: site,
	}
	if a.scope == "" {
		a.scope = "all"
	}
	a.wire = wire.New(client, now, a.secrets, explain)
	a.door = wire.New(client, now, a.secrets, explainToken)
	return a, nil
}

// secrets are what no error may hold.
func (a *Adapter) secrets() []string { return []string{a.clientSecret, a.token.known()} }

// Identify returns the host and the tenant there. An instance of one's own has
// no tenants: the host is the whole of it.
func (a *Adapter) Identify(ctx context.Context) (psa.Instance, error) {
	door, err := a.findDoor(ctx)
	if err != nil {
		return psa.Instance{}, err
	}
	account := strings.ToLower(door.tenant)
	if account == "" {
		account = a.site.Host
	}
	return psa.Instance{Host: a.site.Host, Account: account}, nil
}

// Describe tells what HaloPSA is.
func (a *Adapter) Describe() psa.Description {
	ticket := func(s psa.Setting, label, help string, within psa.Setting) psa.SettingDescription {
		return psa.SettingDescription{
			Setting: s, Label: label, Help: help, Kind: psa.KindChoice, Use: psa.UseTicket, Within: within, Required: s == psa.SettingType,
		}
	}
	return psa.Description{
		Name: name, TitleLimit: maxSummary, ReferenceLimit: maxReference, NoteLimit: maxText, DescriptionLimit: maxText,
		// Two tickets made at once may get the same number.
		Limits: psa.Limits{Parallel: 4, ParallelCreates: 1, PerMinute: callsPerMinute},
		Markup: psa.MarkupPlain, PublicDescription: true,
		Settings: []psa.SettingDescription{
			ticket(psa.SettingType, "Ticket type", "it decides on statuses, priorities, categories and what must be filled in", ""),
			ticket(psa.SettingStatus, "Status", "", psa.SettingType),
			ticket(psa.SettingPriority, "Priority", "of the ticket type's SLA", psa.SettingType),
			ticket(psa.SettingCategory, "Category", "", psa.SettingType),
			ticket(psa.SettingBoard, "Team", "", ""),
			ticket(psa.SettingOwner, "Agent", "", ""),
			{
				Setting: psa.SettingOutcome, Label: "Outcome", Help: "HaloPSA takes no note without one; choose a private one for internal notes",
				Kind: psa.KindChoice, Use: psa.UseNote, Within: psa.SettingType, Required: true,
			},
		},
	}
}
