// Package connectwise speaks ConnectWise PSA's REST API (2025.1), which was
// ConnectWise Manage.
//
// Every vendor's folder has the same files: adapter.go (what it takes and what
// it is), call.go (one call, its errors, pages), verify.go (rights), company.go,
// choice.go (what can be chosen), ticket.go, change.go, note.go, author.go (who did
// something) and callback.go.
package connectwise

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// Limits of the API. Lengths are in characters.
const (
	maxSummary   = 100      // Ticket.summary (OpenAPI document 2025.1)
	maxReference = 100      // Ticket.externalXRef (the same)
	maxNote      = 32_000   // none is declared: ours
	maxPage      = 1000     // pageSize (developer guide, Pagination)
	smallPage    = 100      // that of older versions
	maxParallel  = 4        // none is published: the edge answers 429 to more
	version      = "2025.1" // of the API's behaviour (header Accept)
	idsAtOnce    = 100      // in one condition: addresses stay below 2,000 characters
)

// Vendor is ConnectWise PSA before anybody is connected to it.
var Vendor = psa.Vendor{
	Kind: "CONNECTWISE", Name: name, Fields: form,
	New: func(fields map[string]string, client *http.Client, now func() time.Time) (psa.Adapter, error) {
		return New(fields, client, now)
	},
}

const name = "ConnectWise PSA"

// form is what a person enters.
var form = []psa.Field{
	{Name: "site", Label: "Site", Help: "the host that people sign in at, e.g. na.myconnectwise.net"},
	{Name: "companyId", Label: "Company id", Help: "the company that people sign in with, e.g. alpinemsp"},
	{Name: "publicKey", Label: "Public key", Help: "of an API member: System, Members, API Members, API Keys"},
	{Name: "privateKey", Label: "Private key", Help: "it belongs to the public key; ConnectWise shows it once, when the key is made", Secret: true},
	{Name: "clientId", Label: "Client id", Help: "registered for this integration at developer.connectwise.com, a GUID"},
}

// Adapter is an instance of ConnectWise PSA.
type Adapter struct {
	companyID, publicKey, privateKey, clientID string

	wire   *wire.Caller
	now    func() time.Time
	origin *url.URL // of the API
	people *url.URL // of people's pages

	mu         sync.Mutex
	codebase   string
	zoneless   bool // the instance refuses zones in conditions
	pageSize   int
	inactive   map[int]bool
	inactiveAt time.Time
	members    map[string]psa.AuthorKind
	membersAt  time.Time
	ourselves  string // the API member, as the API writes it
	keys       keyring
}

var (
	_ psa.Adapter          = (*Adapter)(nil)
	_ psa.ChangeLister     = (*Adapter)(nil)
	_ psa.CallbackReceiver = (*Adapter)(nil)
)

// cloud are the hosts of ConnectWise's own cloud, and where their API is.
var cloud = map[string]string{
	"na.myconnectwise.net": "api-na.myconnectwise.net", "eu.myconnectwise.net": "api-eu.myconnectwise.net",
	"au.myconnectwise.net": "api-au.myconnectwise.net", "aus.myconnectwise.net": "api-aus.myconnectwise.net",
	"za.myconnectwise.net": "api-za.myconnectwise.net", "staging.connectwisedev.com": "api-staging.connectwisedev.com",
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// New returns the adapter of an instance. It calls nobody. A *psa.Error of
// ReasonInvalid names the field that can't be right.
func New(fields map[string]string, client *http.Client, now func() time.Time) (*Adapter, error) {
	f, err := wire.Entered(form, fields)
	if err != nil {
		return nil, err
	}
	people, problem := wire.Site(f["site"])
	switch {
	case problem != "":
		return nil, wire.Invalid("connect", "site", problem)
	case strings.ContainsAny(f["companyId"], "+:/ "):
		return nil, wire.Invalid("connect", "companyId", "enter the company id that people sign in with, e.g. alpinemsp")
	case strings.Contains(f["publicKey"], ":"):
		return nil, wire.Invalid("connect", "publicKey", "enter the public key of an API member (System, Members, API Members, API Keys)")
	case !guid.MatchString(f["clientId"]):
		return nil, wire.Invalid("connect", "clientId", "enter the client id registered for this integration at developer.connectwise.com, a GUID")
	}
	origin := *people
	if host, ok := cloud[people.Host]; ok {
		origin.Host = host
	}
	a := &Adapter{
		companyID: f["companyId"], publicKey: f["publicKey"], privateKey: f["privateKey"], clientID: f["clientId"],
		now: now, origin: &origin, people: people, pageSize: maxPage,
	}
	a.wire = wire.New(client, now, a.secrets, explain)
	return a, nil
}

// secrets are what no error may hold.
func (a *Adapter) secrets() []string {
	return []string{a.companyID + "+" + a.publicKey + ":" + a.privateKey, a.privateKey}
}

// Identify returns the host people sign in at and the company they sign in with.
// That the instance is there is asked; the code base changes and is no part of it.
func (a *Adapter) Identify(ctx context.Context) (psa.Instance, error) {
	if _, err := a.findCodebase(ctx, ""); err != nil {
		return psa.Instance{}, err
	}
	return psa.Instance{Host: a.people.Host, Account: strings.ToLower(a.companyID)}, nil
}

// Describe tells what ConnectWise PSA is.
func (a *Adapter) Describe() psa.Description {
	ticket := func(s psa.Setting, label, help string, within psa.Setting) psa.SettingDescription {
		return psa.SettingDescription{
			Setting: s, Label: label, Help: help, Kind: psa.KindChoice, Use: psa.UseTicket, Within: within, Required: s == psa.SettingBoard,
		}
	}
	return psa.Description{
		Name: name, TitleLimit: maxSummary, ReferenceLimit: maxReference, NoteLimit: maxNote, DescriptionLimit: maxNote,
		// None is published: the edge answers 429 to more.
		Limits: psa.Limits{Parallel: maxParallel, PerMinute: 300},
		// A note may be rendered as Markdown (isMarkdownFlag): what is hostile
		// in Markdown must not be.
		Markup: psa.MarkupMarkdown,
		Settings: []psa.SettingDescription{
			ticket(psa.SettingBoard, "Service board", "it needs an active default team, or one chosen here", ""),
			ticket(psa.SettingStatus, "Status", "", psa.SettingBoard),
			ticket(psa.SettingTeam, "Team", "the board's default team where none is chosen", psa.SettingBoard),
			ticket(psa.SettingType, "Type", "", psa.SettingBoard),
			ticket(psa.SettingSubType, "Subtype", "one that the board allows with the type", psa.SettingBoard),
			ticket(psa.SettingItem, "Item", "one that the board allows with type and subtype", psa.SettingBoard),
			ticket(psa.SettingPriority, "Priority", "", ""),
			ticket(psa.SettingSource, "Source", "", ""),
		},
	}
}
