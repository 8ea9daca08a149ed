// Package microsoft365 speaks with Microsoft 365: Entra's sign-in pages and
// tokens, Microsoft Graph, the Office 365 Management Activity API and Exchange
// Online's administration endpoint. An App is a registered application; a
// Tenant is a directory that consented to it, with one method for each thing
// Cairn asks or does there. Failures are *Error: each says whether trying again
// can help and what a person can do.
//
// Logs come as raw JSON, as Microsoft sent it. Lists that an attacker can come
// back through keep the raw JSON beside the few fields that are named.
//
// What may not live here: anything of Cairn's own (accounts, incidents,
// databases, checkpoints), and retries that outlive one call. It is the only
// package that imports Microsoft's Graph SDK, and that by its sub-packages
// only: the root package takes minutes to compile.
package microsoft365

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Endpoint is an API: where it is, and for whom its tokens are made.
type Endpoint struct {
	Address  string // https://graph.microsoft.com, without a path
	Audience string // the resource named in token requests, without a slash at its end
}

// Endpoints are those of one of Microsoft's clouds.
type Endpoints struct {
	Login      string // https://login.microsoftonline.com
	Graph      Endpoint
	Management Endpoint
	Exchange   Endpoint
}

// Public are the endpoints of the worldwide cloud.
func Public() Endpoints {
	return Endpoints{
		Login:      "https://login.microsoftonline.com",
		Graph:      Endpoint{"https://graph.microsoft.com", "https://graph.microsoft.com"},
		Management: Endpoint{"https://manage.office.com", "https://manage.office.com"},
		Exchange:   Endpoint{"https://outlook.office365.com", "https://outlook.office365.com"},
	}
}

// At are the worldwide cloud's endpoints answered by one other server.
func At(address string) Endpoints {
	e := Public()
	e.Login, e.Graph.Address, e.Management.Address, e.Exchange.Address = address, address, address, address
	return e
}

// Config describes a registered application.
type Config struct {
	ClientID string
	// Secret or Certificate: the certificate is PEM and holds a certificate and
	// its RSA key.
	Secret      string
	Certificate []byte
	// Publisher is the directory the application is registered in; the
	// Management Activity API counts calls for it.
	Publisher string

	Endpoints Endpoints // Public() where empty
	// Client makes the calls; its transport is the caller's to guard.
	Client *http.Client
	// Budget is asked before every call; nil: none.
	Budget Budget
	// Now is the clock; nil: the machine's.
	Now func() time.Time
}

// App is a registered application. It may be used by many goroutines.
type App struct {
	clientID   string
	credential *credential
	publisher  string
	endpoints  Endpoints
	client     *http.Client
	budget     Budget
	now        func() time.Time

	tokens  tokens
	traffic traffic

	mu      sync.Mutex
	tenants map[string]*Tenant
}

// New checks a configuration; it calls nobody.
func New(c Config) (*App, error) {
	const doing = "read the application's settings"
	if c.ClientID == "" {
		return nil, fail(ReasonCredentials, doing, "the application (client) id is missing")
	}
	credential, err := readCredential(c.Secret, c.Certificate)
	if err != nil {
		e := fail(ReasonCredentials, doing, err.Error())
		return nil, e
	}
	if c.Endpoints == (Endpoints{}) {
		c.Endpoints = Public()
	}
	e := c.Endpoints
	for _, address := range []string{e.Login, e.Graph.Address, e.Management.Address, e.Exchange.Address} {
		if err := checkAddress(address); err != nil {
			return nil, fail(ReasonInvalid, doing, err.Error())
		}
	}
	if c.Client == nil {
		return nil, fail(ReasonInvalid, doing, "no HTTP client")
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // what stands where no clock is given
	}
	if c.Budget == nil {
		c.Budget = boundless{}
	}
	// A redirect would carry a request, and with it a token, elsewhere.
	client := *c.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &App{
		clientID: c.ClientID, credential: credential, publisher: c.Publisher, endpoints: c.Endpoints,
		client: &client, budget: c.Budget, now: c.Now, tenants: map[string]*Tenant{},
	}, nil
}

func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return fmt.Errorf("%q is no https address without a path", address)
	}
	return nil
}

// Tenant returns the client for a directory, by its id (a GUID, not a name). It
// calls nobody; all calls for one tenant share it, its tokens and its rests.
func (a *App) Tenant(id string) (*Tenant, error) {
	id = strings.ToLower(id)
	if !isGUID(id) {
		return nil, fail(ReasonTenant, "choose a tenant", "a tenant's id is a GUID")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tenants[id]
	if t == nil {
		t = &Tenant{ID: id, app: a}
		var err error
		if t.graph, err = t.sdk(); err != nil {
			return nil, fail(ReasonInvalid, "prepare the Graph SDK", err.Error())
		}
		a.tenants[id] = t
	}
	return t, nil
}

// Forget drops what is kept for a tenant: its tokens and its client.
func (a *App) Forget(id string) {
	id = strings.ToLower(id)
	a.tokens.drop(id)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tenants, id)
}

var errNoCredential = errors.New("a client secret or a certificate is needed, and only one of them")

// isGUID says whether s has the form of a GUID.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash && c != '-' || !dash && !hex {
			return false
		}
	}
	return true
}
