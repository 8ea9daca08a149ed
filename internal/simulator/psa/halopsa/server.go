// Package halopsa is a simulated HaloPSA: a real HTTP server with its paths, its
// ways of signing in, listing, refusing and calling back, and the faults it is
// known for. Tickets live in memory. It is a stranger to Cairn and imports none
// of it.
//
// The shapes are those of the vendor's OpenAPI document (v2) and of what real
// clients send; what is not known is a switch in Behaviour, to be tried both ways.
//
// What may not live here: anything an adapter could share a mistake with.
package halopsa

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Config is what an instance is made of.
type Config struct {
	Tenant, ClientID, ClientSecret string
	TokenLife                      time.Duration // 0: an hour
	Now                            func() time.Time
	Client                         *http.Client // makes webhooks; nil: one that gives up after ten seconds
	Seed                           uint64
}

// Credentials of an instance that is configured with none: the demo's.
const (
	DemoTenant       = "alpinemsp"
	DemoClientID     = "c0de0000-0000-4000-8000-000000000001"
	DemoClientSecret = "secretOfTheDemo-c0de0000-0000-4000"
)

// Behaviour are ways in which instances differ, or which nobody has documented.
type Behaviour struct {
	// Denied are resources that the agent may not use, as prefixes of paths in
	// lower case; DeniedEmpty has their lists empty instead of 403.
	Denied      []string
	DeniedEmpty bool
	// AbsentEmpty answers what is not there with 200 and an empty object.
	AbsentEmpty bool
	// NoLinks passes new_external_link over.
	NoLinks bool
	// Stale has reads without nocache answer what was there at the read before.
	Stale bool
	// Racing has one of two tickets made at once come back as the other.
	Racing bool
	// RequiredField, if not 0, is a custom field that new tickets must have.
	RequiredField int
	// InactiveClientRefused has tickets for inactive clients refused.
	InactiveClientRefused bool
	// RateLimit is how many calls are taken in five minutes; 0: any.
	RateLimit int
	// BatchedWebhooks sends several events in one call.
	BatchedWebhooks bool
	// NoEvents makes webhooks without the events that were asked for.
	NoEvents bool
	// DisableAfter switches a webhook off after so many failed calls; 0: never.
	DisableAfter int
	// AuthURL, if not empty, is where authinfo says that tokens are given.
	AuthURL string
	// IgnoresTicketIDs has a list not hear which tickets are asked for.
	IgnoresTicketIDs bool
	Webhooks         psa.CallbackFaults
}

// Server is an instance. It is an http.Handler.
type Server struct {
	cfg Config
	mux *http.ServeMux

	making atomic.Int32 // tickets being made at this moment

	mu        sync.Mutex
	behaviour Behaviour
	tokens    map[string]time.Time
	lastID    int
	clients   []*client
	types     []ticketType
	statuses  []status
	outcomes  []outcome
	teams     []team
	tickets   map[int]*ticket
	order     []int
	stale     map[int]ticket
	links     []link
	webhooks  []*webhook
	events    []webhookEvent
	calls     []time.Time
	faults    *psa.Faults
	calling   *psa.Callbacks
}

// New returns an instance with some clients, ticket types and teams.
func New(cfg Config) *Server {
	if cfg.ClientID == "" {
		cfg.Tenant, cfg.ClientID, cfg.ClientSecret = DemoTenant, DemoClientID, DemoClientSecret
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of the value that is taken
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), lastID: 2000, behaviour: Behaviour{InactiveClientRefused: true},
		tokens: map[string]time.Time{}, tickets: map[int]*ticket{}, stale: map[int]ticket{}, faults: psa.NewFaults(cfg.Seed),
	}
	s.calling = psa.NewCallbacks(cfg.Client, s.faults)
	s.furnish()
	s.mux.HandleFunc("POST /auth/token", s.token)
	s.mux.HandleFunc("/api/{resource...}", s.api)
	psa.Steer(s.mux, "HaloPSA of "+cfg.Tenant, s, s.faults, map[string]func(func(any) error) error{
		"behaviour": func(decode func(any) error) error {
			var next Behaviour
			err := decode(&next)
			if err == nil {
				s.Behave(func(b *Behaviour) { *b = next })
			}
			return err
		},
		"client-secret": func(decode func(any) error) error {
			var secret string
			err := decode(&secret)
			if err == nil {
				s.SetClientSecret(secret)
			}
			return err
		},
	}, "/tickets")
	return s
}

// Behave changes how the instance behaves.
func (s *Server) Behave(change func(*Behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.behaviour)
	s.calling.Fail(s.behaviour.Webhooks)
}

// SetFaults replaces the faults; none ends them.
func (s *Server) SetFaults(all ...psa.Fault) { s.faults.Set(all...) }

// SetClientSecret changes the application's secret, and ends its tokens.
func (s *Server) SetClientSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.ClientSecret = secret
	clear(s.tokens)
}

// EndTokens has every token refused from here on.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Deliver makes webhooks until ctx ends. Without it none are made.
func (s *Server) Deliver(ctx context.Context) { s.calling.Run(ctx) }

// ServeHTTP answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// scopes are the permissions there are.
var scopes = []string{
	"all", "read:tickets", "edit:tickets", "read:customers", "edit:customers", "read:contracts", "edit:contracts",
	"read:items", "edit:items", "read:invoices", "edit:invoices", "admin:webhooks",
}

// token gives tokens (RFC 6749, 4.4).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(int) any { return map[string]string{"error": "server_error"} }
	s.faults.Serve(w, r, "auth/token", refuse, func() psa.Answer {
		wrong := func(status int, code, description string) psa.Answer {
			return psa.Answer{Status: status, Body: map[string]string{"error": code, "error_description": description}}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cfg.Tenant != "" && !strings.EqualFold(r.URL.Query().Get("tenant"), s.cfg.Tenant) {
			return wrong(http.StatusBadRequest, "invalid_request", "The tenant is not known.")
		}
		if r.PostFormValue("grant_type") != "client_credentials" {
			return wrong(http.StatusBadRequest, "unsupported_grant_type", "The specified grant_type is not supported.")
		}
		if r.PostFormValue("client_id") != s.cfg.ClientID || r.PostFormValue("client_secret") != s.cfg.ClientSecret {
			return wrong(http.StatusUnauthorized, "invalid_client", "The specified client credentials are invalid.")
		}
		asked := strings.Fields(r.PostFormValue("scope"))
		if slices.ContainsFunc(asked, func(x string) bool { return !slices.Contains(scopes, x) }) {
			return wrong(http.StatusBadRequest, "invalid_scope", "The specified scope is invalid.")
		}
		token := fmt.Sprintf("token-%d", s.nextID())
		s.tokens[token] = s.cfg.Now().Add(s.cfg.TokenLife)
		return psa.Answer{Status: http.StatusOK, Body: map[string]any{
			"access_token": token, "token_type": "Bearer", "expires_in": int(s.cfg.TokenLife.Seconds()), "scope": strings.Join(asked, " "),
		}}
	})
}

// request is a call to the API that is signed in.
type request struct {
	*http.Request

	body     []byte
	resource string // in lower case: paths know no case
	path     []string
	query    url.Values
}

// handler answers a request under the server's lock.
type handler func(r *request) (status int, body any)

// routes are what the API offers; "*" stands for an id.
func (s *Server) routes() map[string]handler {
	return map[string]handler{
		"GET agent/me":        s.whoAmI,
		"GET agent":           s.listAgents,
		"GET tickets":         s.listTickets,
		"POST tickets":        s.writeTickets,
		"GET tickets/*":       s.getTicket,
		"DELETE tickets/*":    s.deleteTicket,
		"GET actions":         s.listActions,
		"POST actions":        s.writeActions,
		"GET client":          s.listClients,
		"GET client/*":        s.getClient,
		"GET tickettype":      s.listTypes,
		"GET tickettype/*":    s.getType,
		"GET workflow/*":      s.getWorkflow,
		"GET status":          s.listStatuses,
		"GET priority":        s.listPriorities,
		"GET category":        s.listCategories,
		"GET team":            s.listTeams,
		"GET outcome":         s.listOutcomes,
		"GET externallink":    s.listLinks,
		"GET webhook":         s.listWebhooks,
		"POST webhook":        s.writeWebhooks,
		"DELETE webhook/{id}": s.deleteWebhook,
		"GET webhookevent":    s.listWebhookEvents,
	}
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	body, ok := psa.Read(w, r)
	if !ok {
		psa.Write(w, psa.Answer{Status: http.StatusRequestEntityTooLarge, Body: "Request Entity Too Large"})
		return
	}
	resource := strings.ToLower(strings.Trim(r.PathValue("resource"), "/"))
	req := &request{Request: r, body: body, resource: resource, path: strings.Split(resource, "/"), query: url.Values{}}
	for name, values := range r.URL.Query() {
		req.query[strings.ToLower(name)] = values
	}
	refuse := func(int) any { return map[string]string{"error": "The server could not answer."} }
	s.faults.Serve(w, r, resource, refuse, func() psa.Answer {
		if r.Method == http.MethodPost && resource == "tickets" {
			s.making.Add(1)
			defer s.making.Add(-1)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		status, out := s.handle(req)
		return psa.Answer{Status: status, Body: out}.Fixed()
	})
}

func (s *Server) handle(r *request) (int, any) {
	if r.resource == "authinfo" {
		return s.authInfo(r)
	}
	if status, body := s.admit(r); body != nil {
		return status, body
	}
	pattern := r.Method + " " + psa.Pattern(r.resource)
	if len(r.path) == 2 && r.path[0] == "webhook" {
		pattern = r.Method + " webhook/{id}"
	}
	h, ok := s.routes()[pattern]
	if !ok {
		return http.StatusNotFound, "<html><body>404 - File or directory not found.</body></html>"
	}
	return h(r)
}

func (s *Server) authInfo(r *request) (int, any) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	auth := scheme + "://" + r.Host + "/auth"
	if s.behaviour.AuthURL != "" {
		auth = s.behaviour.AuthURL
	}
	return http.StatusOK, map[string]any{"auth_url": auth, "tenant_id": s.cfg.Tenant, "product": "HaloPSA"}
}

// admit refuses calls without a token, too many of them, and missing rights.
func (s *Server) admit(r *request) (int, any) {
	now := s.cfg.Now()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if until, known := s.tokens[token]; !ok || !known || !now.Before(until) {
		return http.StatusUnauthorized, []byte(`{"Message":"Authorization has been denied for this request."}`)
	}
	if n := s.behaviour.RateLimit; n > 0 {
		s.calls = slices.DeleteFunc(s.calls, func(at time.Time) bool { return now.Sub(at) > 5*time.Minute })
		if len(s.calls) >= n {
			return http.StatusTooManyRequests, bare(fmt.Sprintf("Rate Limit Reached - %d Requests per rolling 5 minute window", n))
		}
		s.calls = append(s.calls, now)
	}
	for _, denied := range s.behaviour.Denied {
		if !strings.HasPrefix(r.resource, denied) {
			continue
		}
		if s.behaviour.DeniedEmpty && r.Method == http.MethodGet {
			return http.StatusOK, []byte("[]")
		}
		return http.StatusForbidden, map[string]string{"ClassName": "Halo.Forbidden", "Message": "You do not have permission to access this resource."}
	}
	return 0, nil
}
