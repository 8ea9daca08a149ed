// Package autotask is a simulated database of Autotask PSA: a real HTTP server
// with its paths, its ways of querying, refusing and calling back, and the faults
// it is known for. Tickets live in memory. It is a stranger to Cairn and imports
// none of it.
//
// The shapes are those of the vendor's documents; what they leave open is a
// switch in Behaviour, to be tried both ways.
//
// What may not live here: anything an adapter could share a mistake with.
package autotask

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Config is what a database is made of.
type Config struct {
	UserName, Secret, IntegrationCode string
	CI                                int // the number of the database
	Now                               func() time.Time
	Client                            *http.Client // makes callouts; nil: one that gives up after ten seconds
	Seed                              uint64
}

// Credentials of a database that is configured with none: the demo's.
const (
	DemoUserName        = "cairn@alpinemsp.example"
	DemoSecret          = "secretOfTheDemo#1"
	DemoIntegrationCode = "CODEOFTHEDEMO"
	demoCI              = 123456
)

// Behaviour are ways in which databases differ, or which nobody has documented.
type Behaviour struct {
	// Denied are entities that the security level does not allow, e.g. "Companies":
	// lists are empty, and writes are refused.
	Denied []string
	// Restricted are entities of which it says that access is.
	Restricted []string
	// Absent404 answers a record that is not there with 404 instead of null.
	Absent404 bool
	// RequiredUDF, if not empty, is a user-defined field that tickets must have;
	// RequiredField a field of their own.
	RequiredUDF, RequiredField string
	// InactiveCompanyRefused has tickets for inactive companies refused.
	InactiveCompanyRefused bool
	// UnclearPublish labels the choices of publish so that nobody can tell them.
	UnclearPublish bool
	// APIUserHidden leaves us out of the list of resources.
	APIUserHidden bool
	// NoZone has the look-up of zones fail.
	NoZone bool
	// ZoneURL, if not empty, is what the look-up answers.
	ZoneURL string
	// Threads is how many calls to one endpoint may be under way; Threshold how
	// many calls are taken in an hour.
	Threads, Threshold int
	// RequirePort443 refuses webhooks to another port.
	RequirePort443 bool
	// InactiveAfter switches a webhook off after so many failed calls.
	InactiveAfter int
	Webhooks      psa.CallbackFaults
}

// Server is a database. It is an http.Handler.
type Server struct {
	cfg Config
	mux *http.ServeMux

	threadsMu sync.Mutex
	threads   map[string]int // under way, by endpoint

	mu        sync.Mutex
	behaviour Behaviour
	lastID    int
	entities  map[string]*entity // by lower-case name
	webhooks  []*webhook
	calls     []time.Time
	faults    *psa.Faults
	calling   *psa.Callbacks
}

// New returns a database with some companies, queues and people.
func New(cfg Config) *Server {
	if cfg.UserName == "" {
		cfg.UserName, cfg.Secret, cfg.IntegrationCode = DemoUserName, DemoSecret, DemoIntegrationCode
	}
	if cfg.CI == 0 {
		cfg.CI = demoCI
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of the value that is taken
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), lastID: 29_000, threads: map[string]int{}, entities: map[string]*entity{}, faults: psa.NewFaults(cfg.Seed),
		behaviour: Behaviour{InactiveCompanyRefused: true, Threads: 3, Threshold: 10_000, InactiveAfter: 25},
	}
	s.calling = psa.NewCallbacks(cfg.Client, s.faults)
	s.furnish()
	s.mux.HandleFunc("/ATServicesRest/{version}/{resource...}", s.api)
	psa.Steer(s.mux, "Autotask of "+cfg.UserName, s, s.faults, map[string]func(func(any) error) error{
		"behaviour": func(decode func(any) error) error {
			var next Behaviour
			err := decode(&next)
			if err == nil {
				s.Behave(func(b *Behaviour) { *b = next })
			}
			return err
		},
		"secret": func(decode func(any) error) error {
			var secret string
			err := decode(&secret)
			if err == nil {
				s.SetSecret(secret)
			}
			return err
		},
	}, "/Mvc/ServiceDesk/TicketDetail.mvc")
	return s
}

// Behave changes how the database behaves.
func (s *Server) Behave(change func(*Behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.behaviour)
	s.calling.Fail(s.behaviour.Webhooks)
}

// SetFaults replaces the faults; none ends them.
func (s *Server) SetFaults(all ...psa.Fault) { s.faults.Set(all...) }

// SetSecret changes the secret of the API user: the old one is refused.
func (s *Server) SetSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Secret = secret
}

// Deliver makes callouts until ctx ends. Without it none are made.
func (s *Server) Deliver(ctx context.Context) { s.calling.Run(ctx) }

// ServeHTTP answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// request is a call to the API whose credentials are in order.
type request struct {
	*http.Request

	body []byte
	path []string
}

// failed is the API's error: a list of texts.
func failed(status int, texts ...string) psa.Answer {
	return psa.Answer{Status: status, Body: map[string]any{"errors": texts}}
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	body, ok := psa.Read(w, r)
	if !ok {
		psa.Write(w, failed(http.StatusRequestEntityTooLarge, "The request is too large."))
		return
	}
	resource := strings.Trim(r.PathValue("resource"), "/")
	refuse := func(int) any { return []byte("The service is unavailable.") }
	s.faults.Serve(w, r, resource, refuse, func() psa.Answer {
		if !strings.EqualFold(r.PathValue("version"), "V1.0") {
			return psa.Answer{Status: http.StatusNotFound, Body: []byte(`{"Message":"No HTTP resource was found."}`)}
		}
		if strings.EqualFold(resource, "zoneInformation") {
			return s.zoneInformation(r)
		}
		endpoint, _, _ := strings.Cut(resource, "/")
		if !s.enter(endpoint) {
			return failed(http.StatusInternalServerError,
				"Thread Threshold Exceeded - The Autotask API thread threshold of 3 threads has been exceeded. (Itgenatr005)")
		}
		defer s.leave(endpoint)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.handle(&request{Request: r, body: body, path: strings.Split(resource, "/")}).Fixed()
	})
}

func (s *Server) enter(endpoint string) bool {
	s.mu.Lock()
	most := s.behaviour.Threads
	s.mu.Unlock()
	s.threadsMu.Lock()
	defer s.threadsMu.Unlock()
	if most > 0 && s.threads[endpoint] >= most {
		return false
	}
	s.threads[endpoint]++
	return true
}

func (s *Server) leave(endpoint string) {
	s.threadsMu.Lock()
	defer s.threadsMu.Unlock()
	s.threads[endpoint]--
}

func (s *Server) zoneInformation(r *http.Request) psa.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behaviour.NoZone || !strings.EqualFold(r.URL.Query().Get("user"), s.cfg.UserName) {
		return failed(http.StatusInternalServerError, "Zone information could not be determined")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	base := scheme + "://" + r.Host + "/"
	api := base + "ATServicesRest/"
	if s.behaviour.ZoneURL != "" {
		api = s.behaviour.ZoneURL
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{"zoneName": "Simulated", "url": api, "webUrl": base, "ci": s.cfg.CI}}
}

// admit refuses bad credentials, each in its own way, and too many calls.
func (s *Server) admit(r *request) (psa.Answer, bool) {
	switch {
	case !strings.EqualFold(r.Header.Get("Username"), s.cfg.UserName):
		return failed(http.StatusInternalServerError, "The specified user does not exist."), false
	case r.Header.Get("Apiintegrationcode") != s.cfg.IntegrationCode:
		return failed(http.StatusInternalServerError, "The specified IntegrationCode is invalid."), false
	case r.Header.Get("Secret") != s.cfg.Secret:
		return psa.Answer{Status: http.StatusUnauthorized, Body: []byte{}}, false
	}
	now := s.cfg.Now()
	s.calls = slices.DeleteFunc(s.calls, func(at time.Time) bool { return now.Sub(at) > time.Hour })
	if n := s.behaviour.Threshold; n > 0 && len(s.calls) >= n {
		return failed(http.StatusTooManyRequests, fmt.Sprintf("The request threshold of %d has been exceeded.", n)), false
	}
	s.calls = append(s.calls, now)
	return psa.Answer{}, true
}

func (s *Server) denied(name string) bool { return slices.Contains(s.behaviour.Denied, name) }

func (s *Server) handle(r *request) psa.Answer {
	if refused, ok := s.admit(r); !ok {
		return refused
	}
	if strings.EqualFold(r.path[0], "ThresholdInformation") {
		return psa.Answer{Status: http.StatusOK, Body: map[string]int{
			"externalRequestThreshold": s.behaviour.Threshold, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": len(s.calls),
		}}
	}
	e := s.entities[strings.ToLower(r.path[0])]
	if e == nil {
		return psa.Answer{Status: http.StatusNotFound, Body: []byte(`{"Message":"No HTTP resource was found that matches the request URI."}`)}
	}
	notAllowed := psa.Answer{
		Status: http.StatusMethodNotAllowed, Body: []byte(`{"Message":"The requested resource does not support http method '` + r.Method + `'."}`),
	}
	id, idErr := 0, error(nil)
	if len(r.path) > 1 {
		id, idErr = strconv.Atoi(r.path[1])
	}
	switch {
	case len(r.path) == 1:
		return s.write(r, e, notAllowed)
	case strings.EqualFold(r.path[1], "entityInformation"):
		return s.information(r, e)
	case strings.EqualFold(r.path[1], "query"):
		return s.query(r, e, notAllowed)
	case idErr != nil:
		return psa.Answer{Status: http.StatusNotFound, Body: []byte(`{"Message":"No HTTP resource was found that matches the request URI."}`)}
	case len(r.path) == 2 && r.Method == http.MethodGet:
		return s.one(e, id)
	case len(r.path) == 2 && r.Method == http.MethodDelete && e.name == "TicketWebhooks":
		return s.deleteWebhook(id)
	case len(r.path) == 3 && r.Method == http.MethodPost:
		return s.writeChild(r, e, id, notAllowed)
	}
	return notAllowed
}

// one answers a record, or null.
func (s *Server) one(e *entity, id int) psa.Answer {
	row := e.row(id)
	if row == nil || s.denied(e.name) {
		if s.behaviour.Absent404 {
			return psa.Answer{Status: http.StatusNotFound, Body: []byte{}}
		}
		return psa.Answer{Status: http.StatusOK, Body: map[string]any{"item": nil}}
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{"item": row}}
}

const notAdequate = "The logged in Resource does not have the adequate permissions to %s this entity type."

// write creates or changes a record. Children are written through their parents.
func (s *Server) write(r *request, e *entity, notAllowed psa.Answer) psa.Answer {
	if e.parent != "" || !e.writable {
		return notAllowed
	}
	in, problem := decode(r.body)
	if problem != "" {
		return failed(http.StatusInternalServerError, problem)
	}
	var id int
	var errs []string
	switch r.Method {
	case http.MethodPost:
		if s.denied(e.name) {
			return failed(http.StatusInternalServerError, fmt.Sprintf(notAdequate, "create"))
		}
		if e.name == "TicketWebhooks" {
			id, errs = s.createWebhook(in)
		} else {
			id, errs = s.createTicket(in)
		}
	case http.MethodPatch:
		if s.denied(e.name) {
			return failed(http.StatusInternalServerError, fmt.Sprintf(notAdequate, "update"))
		}
		id, errs = s.patchTicket(e, in)
	default:
		return notAllowed
	}
	if len(errs) > 0 {
		return failed(http.StatusInternalServerError, errs...)
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]int{"itemId": id}}
}

func (s *Server) writeChild(r *request, parent *entity, id int, notAllowed psa.Answer) psa.Answer {
	in, problem := decode(r.body)
	if problem != "" {
		return failed(http.StatusInternalServerError, problem)
	}
	var made int
	var errs []string
	switch parent.name + "/" + strings.ToLower(r.path[2]) {
	case "Tickets/notes":
		if s.denied("TicketNotes") {
			return failed(http.StatusInternalServerError, fmt.Sprintf(notAdequate, "create"))
		}
		made, errs = s.createNote(id, in)
	case "TicketWebhooks/fields":
		made, errs = s.createWebhookField(id, in)
	case "TicketWebhooks/excludedresources":
		made, errs = s.excludeResource(id, in)
	default:
		return notAllowed
	}
	if len(errs) > 0 {
		return failed(http.StatusInternalServerError, errs...)
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]int{"itemId": made}}
}
