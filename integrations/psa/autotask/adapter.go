// Package autotask speaks Autotask PSA's REST API (1.0).
//
// Every vendor's folder has the same files: adapter.go (what it takes and what
// it is), call.go (one call, its errors, pages), verify.go (rights), company.go,
// choice.go (what can be chosen), ticket.go, change.go, note.go, author.go (who did
// something) and callback.go.
package autotask

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

// Limits of the API. Lengths are in characters.
const (
	maxTitle       = 255    // Ticket.title
	maxDescription = 8000   // Ticket.description
	maxReference   = 50     // Ticket.externalID
	maxNote        = 32_000 // TicketNote.description
	maxNoteTitle   = 250    // TicketNote.title
	pageSize       = 500    // of a query (developer help, REST_Advanced_Query_Features)
	idsAtOnce      = 200    // of a list in a filter: 500 conditions are the most
	maxRecords     = 50_000 // that one question may bring: ours
	// Three threads an endpoint are let in, and a slot is free only some time
	// after its answer.
	maxParallel = 2
	// 10,000 calls an hour are all that every integration of the MSP has
	// together, and from half of it on each is held up.
	callsPerMinute, callsPerHour = 60, 3000
)

// Vendor is Autotask before anybody is connected to it.
var Vendor = psa.Vendor{
	Kind: "AUTOTASK", Name: name, Fields: form,
	New: func(fields map[string]string, client *http.Client, now func() time.Time) (psa.Adapter, error) {
		return New(fields, client, now)
	},
}

const name = "Autotask"

// form is what a person enters.
var form = []psa.Field{
	{Name: "userName", Label: "User name", Help: "(key) of an API user: Admin, Resources (Users), New API User, security level API User (system)"},
	{Name: "secret", Label: "Secret", Help: "(password) of the API user; Autotask shows it once", Secret: true},
	{Name: "integrationCode", Label: "Tracking identifier", Help: "of a custom internal integration, from the API user's page", Secret: true},
	{
		Name: "site", Label: "Zone", Optional: true,
		Help: "the API's host, e.g. webservices2.autotask.net, where it can't be found by the user name",
	},
}

// Adapter is a database of Autotask.
type Adapter struct {
	user, secret, code string

	wire  *wire.Caller
	now   func() time.Time
	site  *url.URL // as it was entered, nil where it is to be found
	first *url.URL // where the zone is asked for

	mu       sync.Mutex
	zone     *zone
	zoneAt   time.Time
	lists    map[string][]field // of entities: their fields, with what can be chosen
	listsAt  map[string]time.Time
	me       int // our resource
	meAsked  time.Time
	meIsSure bool
}

var (
	_ psa.Adapter          = (*Adapter)(nil)
	_ psa.ChangeLister     = (*Adapter)(nil)
	_ psa.CallbackReceiver = (*Adapter)(nil)
)

// lookup tells zones by user names.
const lookup = "https://webservices.autotask.net"

// New returns the adapter of a database. It calls nobody. A *psa.Error of
// ReasonInvalid names the field that can't be right.
func New(fields map[string]string, client *http.Client, now func() time.Time) (*Adapter, error) {
	f, err := wire.Entered(form, fields)
	if err != nil {
		return nil, err
	}
	a := &Adapter{
		user: f["userName"], secret: f["secret"], code: f["integrationCode"], now: now,
		lists: map[string][]field{}, listsAt: map[string]time.Time{},
	}
	if f["site"] != "" {
		site, problem := wire.Site(f["site"])
		if problem != "" {
			return nil, wire.Invalid("connect", "site", problem)
		}
		a.site, a.first = site, site
	} else if a.first, err = url.Parse(lookup); err != nil {
		return nil, err
	}
	a.wire = wire.New(client, now, func() []string { return []string{a.secret, a.code} }, explain)
	return a, nil
}

// Identify returns the number of the database, which stays when it moves to
// another zone. Where the zone can't be asked it is the domain of the user.
func (a *Adapter) Identify(ctx context.Context) (psa.Instance, error) {
	z, err := a.findZone(ctx)
	if err != nil {
		return psa.Instance{}, err
	}
	out := psa.Instance{Host: z.api.Host, Account: z.account}
	if strings.HasSuffix(out.Host, vendorDomain) {
		out.Host = strings.TrimPrefix(vendorDomain, ".")
	}
	if out.Account == "" {
		_, domain, _ := strings.Cut(strings.ToLower(a.user), "@")
		out.Account = domain
	}
	return out, nil
}

// Describe tells what Autotask is.
func (a *Adapter) Describe() psa.Description {
	d := psa.Description{
		Name: name, TitleLimit: maxTitle, ReferenceLimit: maxReference, NoteLimit: maxNote, DescriptionLimit: maxDescription,
		Limits: psa.Limits{Parallel: maxParallel, PerMinute: callsPerMinute, PerHour: callsPerHour},
		Markup: psa.MarkupPlain, PublicDescription: true,
	}
	for _, f := range fields {
		d.Settings = append(d.Settings, f.described())
	}
	return d
}
