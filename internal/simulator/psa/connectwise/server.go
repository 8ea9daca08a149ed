// Package connectwise is a simulated ConnectWise PSA: a real HTTP server with
// its paths, its ways of paging, refusing, patching and calling back, and the
// faults it is known for. Tickets live in memory. It is a stranger to Cairn and
// imports none of it.
//
// The shapes are those of the vendor's OpenAPI document (2025.1); what the
// vendor's documents leave open is a switch in Behaviour, to be tried both ways.
//
// What may not live here: anything an adapter could share a mistake with.
package connectwise

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Config is what an instance is made of.
type Config struct {
	CompanyID, PublicKey, PrivateKey, ClientID string
	// Codebase is what companyinfo answers, e.g. "v2025_1/"; empty: that.
	Codebase string
	Now      func() time.Time // its clock; nil: the machine's
	// Client makes callbacks; nil: a client that gives up after ten seconds.
	Client *http.Client
	Logger *slog.Logger // nil: none
	Seed   uint64       // of chance in faults
}

// Member is the API member as the API writes it, where it names who did something.
const Member = "CairnAPI"

// Credentials of an instance that is configured with none: the demo's.
const (
	DemoCompanyID  = "alpinemsp"
	DemoPublicKey  = "publicKeyOfTheDemo"
	DemoPrivateKey = "privateKeyOfTheDemo"
	DemoClientID   = "6c0ff1ce-c0de-4c0d-8c0d-c0ffee000001"
)

// Behaviour are ways in which instances differ, or which the vendor's documents
// leave open.
type Behaviour struct {
	// NotesTouch has a note change its ticket's lastUpdated.
	NotesTouch bool
	// InactiveAfter sets a callback inactive after so many failed calls; 0: never.
	InactiveAfter int
	// Denied are resources the security role does not allow, as path prefixes
	// below the code base, e.g. "service/boards": 403.
	Denied []string
	// ZonelessDates refuses zones in datetimes of conditions.
	ZonelessDates bool
	// RequiredCustomField, if not 0, is a custom field new tickets must have.
	RequiredCustomField int
	// InactiveCompanyRefused has tickets for inactive companies refused.
	InactiveCompanyRefused bool
	// WorkflowBoard, if not 0, is the board a workflow rule moves each new
	// ticket to after it was answered.
	WorkflowBoard int
	// PrivateClientID has the client id refused: it belongs to another's instance.
	PrivateClientID bool
	// Callbacks are ways for callbacks to go wrong.
	Callbacks psa.CallbackFaults
	// SmallPages has pages of more than a hundred records refused, as older
	// versions do; NoAllNotes has no list of notes with time entries, as those.
	SmallPages, NoAllNotes bool
	// NoVersions refuses the version in the header Accept for lists of teams.
	NoVersions bool
}

// Server is an instance. It is an http.Handler.
type Server struct {
	cfg Config
	mux *http.ServeMux

	mu        sync.Mutex
	behaviour Behaviour
	codebase  string
	lastID    int
	companies []*company
	boards    []*board
	priority  []named
	sources   []named
	tickets   map[int]*ticket
	order     []int // of tickets, as they were made
	byXRef    map[string][]int
	callbacks []*callback
	calls     map[string]int // by method and resource
	fields    []userField
	faults    *psa.Faults
	address   string // see SetAddress
	calling   *psa.Callbacks
}

// New returns an instance with some boards and companies.
func New(cfg Config) *Server {
	if cfg.CompanyID == "" {
		cfg.CompanyID, cfg.PublicKey, cfg.PrivateKey, cfg.ClientID = DemoCompanyID, DemoPublicKey, DemoPrivateKey, DemoClientID
	}
	if cfg.Codebase == "" {
		cfg.Codebase = "v2025_1/"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of the value that is taken
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), codebase: cfg.Codebase, lastID: 1000,
		behaviour: Behaviour{InactiveCompanyRefused: true},
		tickets:   map[int]*ticket{}, byXRef: map[string][]int{}, calls: map[string]int{},
		faults: psa.NewFaults(cfg.Seed),
	}
	s.calling = psa.NewCallbacks(cfg.Client, s.faults)
	s.furnish()
	s.routes()
	return s
}

// Behave changes how the instance behaves.
func (s *Server) Behave(change func(*Behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.behaviour)
	s.calling.Fail(s.behaviour.Callbacks)
}

// SetFaults replaces the faults; none ends them.
func (s *Server) SetFaults(all ...psa.Fault) { s.faults.Set(all...) }

// Upgrade moves the instance to another code base: addresses of the old one
// answer 404 from here on.
func (s *Server) Upgrade(codebase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codebase = codebase
}

// SetPrivateKey changes the key of the API member: the old one is refused.
func (s *Server) SetPrivateKey(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.PrivateKey = key
}

// Calls returns how often a resource was asked, e.g. "POST service/tickets".
func (s *Server) Calls(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[what]
}

// ServeHTTP answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() {
	s.mux.HandleFunc("GET /login/companyinfo/{company}", s.companyInfo)
	s.mux.HandleFunc("GET /signing-key/{id}", s.signingKey)
	psa.Steer(s.mux, "ConnectWise PSA of "+s.cfg.CompanyID, s, s.faults, map[string]func(func(any) error) error{
		"behaviour": func(decode func(any) error) error {
			var next Behaviour
			err := decode(&next)
			if err == nil {
				s.Behave(func(b *Behaviour) { *b = next })
			}
			return err
		},
		"private-key": func(decode func(any) error) error {
			var key string
			err := decode(&key)
			if err == nil {
				s.SetPrivateKey(key)
			}
			return err
		},
	}, "/v4_6_release/services/system_io/Service/fv_sr100_request.rails")
	s.mux.HandleFunc("/{codebase}/apis/3.0/{resource...}", s.api)
}

func (s *Server) companyInfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	codebase, known := s.codebase, strings.EqualFold(r.PathValue("company"), s.cfg.CompanyID)
	s.mu.Unlock()
	if !known {
		psa.Write(w, psa.Answer{Status: http.StatusOK})
		return
	}
	psa.Write(w, psa.Answer{Status: http.StatusOK, Body: map[string]any{
		"CompanyName": "Alpine Managed Services", "Codebase": codebase, "VersionCode": "v2025.1",
		"VersionNumber": "v2025.1.12345", "CompanyID": s.cfg.CompanyID, "IsCloud": true, "SiteUrl": r.Host,
	}})
}

// request is a call to the API whose credentials are in order.
type request struct {
	*http.Request

	body     []byte
	resource string   // below the code base, as it was asked
	path     []string // its parts
}

// handler answers a request under the server's lock, with a status and a body.
type handler func(r *request) (status int, body any, header http.Header)

// routesOf is what the API offers; "*" stands for an id.
func (s *Server) routesOf() map[string]handler {
	return map[string]handler{
		"GET system/info":                s.systemInfo,
		"GET service/boards":             s.listBoards,
		"GET service/boards/*/statuses":  s.listStatuses,
		"GET service/boards/*/types":     s.listTypes,
		"GET service/boards/*/teams":     s.listTeams,
		"GET service/boards/*/subtypes":  s.listSubTypes,
		"GET service/boards/*/items":     s.listItems,
		"GET system/info/members":        s.listMembers,
		"GET system/userDefinedFields":   s.listUserFields,
		"GET time/entries":               s.listTimes,
		"GET service/priorities":         s.listPriorities,
		"GET service/sources":            s.listSources,
		"GET company/companies":          s.listCompanies,
		"GET company/companies/statuses": s.listCompanyStatuses,
		"GET company/companies/count":    s.countCompanies,
		"GET company/companies/*":        s.getCompany,
		"GET service/tickets":            s.listTickets,
		"GET service/tickets/count":      s.countTickets,
		"POST service/tickets/search":    s.searchTickets,
		"POST service/tickets":           s.createTicket,
		"GET service/tickets/*":          s.getTicket,
		"PATCH service/tickets/*":        s.patchTicket,
		"DELETE service/tickets/*":       s.deleteTicket,
		"POST service/tickets/*/merge":   s.mergeTickets,
		"GET service/tickets/*/notes":    s.listNotes,
		"POST service/tickets/*/notes":   s.createNote,
		"GET service/tickets/*/allNotes": s.listAllNotes,
		"GET system/callbacks":           s.listCallbacks,
		"POST system/callbacks":          s.createCallback,
		"PATCH system/callbacks/*":       s.patchCallback,
		"DELETE system/callbacks/*":      s.deleteCallback,
	}
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	body, ok := psa.Read(w, r)
	if !ok {
		psa.Write(w, psa.Answer{Status: http.StatusRequestEntityTooLarge, Body: problem{Code: "InvalidObject", Message: "The request is too large."}})
		return
	}
	req := &request{Request: r, body: body, resource: strings.Trim(r.PathValue("resource"), "/")}
	req.path = strings.Split(req.resource, "/")
	refuse := func(status int) any {
		return problem{Code: http.StatusText(status), Message: "The server could not answer."}
	}
	s.faults.Serve(w, r, req.resource, refuse, func() psa.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		status, out, header := s.handle(req)
		return psa.Answer{Status: status, Header: header, Body: out}.Fixed()
	})
}

func (s *Server) handle(r *request) (int, any, http.Header) {
	general := "v4_6_release/" // the entry point that every instance has
	if asked := r.PathValue("codebase") + "/"; asked != s.codebase && asked != general {
		return http.StatusNotFound, "<html><body>404 - File or directory not found.</body></html>", nil
	}
	if status, body := s.authorize(r); body != nil {
		return status, body, nil
	}
	if s.behaviour.NoVersions && strings.HasSuffix(r.resource, "/teams") && strings.Contains(r.Header.Get("Accept"), "version=") {
		return http.StatusNotAcceptable, problem{Code: "InvalidVersion", Message: "The version is not supported."}, nil
	}
	pattern := r.Method + " " + psa.Pattern(r.resource)
	s.calls[pattern]++
	h, ok := s.routesOf()[pattern]
	if !ok {
		return http.StatusNotFound, problem{Code: "NotFound", Message: "The resource does not exist."}, nil
	}
	return h(r)
}

// authorize refuses bad credentials and missing rights.
func (s *Server) authorize(r *request) (int, any) {
	user, password, ok := r.BasicAuth()
	if !ok || user != s.cfg.CompanyID+"+"+s.cfg.PublicKey || password != s.cfg.PrivateKey {
		return http.StatusUnauthorized, problem{Code: "Unauthorized", Message: "Username or password is incorrect."}
	}
	if r.Header.Get("Clientid") == "" {
		return http.StatusUnauthorized, problem{Code: "ClientId", Message: "Cannot route. Codebase/company is invalid: a clientId is required."}
	}
	if !strings.EqualFold(r.Header.Get("Clientid"), s.cfg.ClientID) || s.behaviour.PrivateClientID {
		return http.StatusUnauthorized, problem{Code: "ClientId", Message: "The clientId is not valid for this company."}
	}
	for _, denied := range s.behaviour.Denied {
		if strings.HasPrefix(r.resource, denied) {
			return http.StatusForbidden, problem{Code: "InsufficientPermissions", Message: "You do not have security permission to perform this action."}
		}
	}
	return 0, nil
}

func (s *Server) systemInfo(*request) (int, any, http.Header) {
	return http.StatusOK, map[string]any{"version": "v2025.1.12345", "isCloud": true, "serverTimeZone": "UTC", "cloudRegion": "NA"}, nil
}

// problem is the API's error body.
type problem struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Errors  []detail `json:"errors,omitempty"`
}

type detail struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Resource string `json:"resource"`
	Field    string `json:"field"`
}

func invalid(resource string, errs ...detail) (int, any, http.Header) {
	for i := range errs {
		errs[i].Resource = resource
	}
	return http.StatusBadRequest, problem{Code: "InvalidObject", Message: resource + " object is invalid", Errors: errs}, nil
}

func missing(what string) (int, any, http.Header) {
	return http.StatusNotFound, problem{Code: "NotFound", Message: what + " not found"}, nil
}

// Address is what SetAddress was given.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}
