package halopsa

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

type client struct {
	ID       int           `json:"id"`
	Name     string        `json:"name"`
	Inactive bool          `json:"inactive"`
	Stopped  int           `json:"stopped"`
	Website  string        `json:"website,omitempty"`
	Tenants  []azureTenant `json:"azure_tenants,omitempty"`
}

// azureTenant links a client to a Microsoft tenant.
type azureTenant struct {
	ID       int    `json:"id"`
	ClientID int    `json:"client_id"`
	TenantID string `json:"azure_tenant_id"`
	Name     string `json:"azure_tenant_name"`
	Domain   string `json:"azure_tenant_domain"`
}

type ticketType struct {
	ID         int         `json:"id"`
	Name       string      `json:"name"`
	CanCreate  bool        `json:"cancreate"`
	WorkflowID int         `json:"workflow_id"`
	SLA        int         `json:"default_sla"`
	Fields     []typeField `json:"fields"`
	statuses   []int
}

// typeField is a field of a ticket type. Technew says how it is shown on a new
// ticket: 2 is mandatory.
type typeField struct {
	FieldID int       `json:"fieldid"`
	Name    string    `json:"fieldname"`
	Technew int       `json:"technew"`
	Info    fieldInfo `json:"fieldinfo"`
}

type fieldInfo struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  int    `json:"type"`
}

type status struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Type   int    `json:"type"`
	closed bool
}

type team struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Inactive bool   `json:"inactive"`
}

type outcome struct {
	ID        int    `json:"id"`
	Outcome   string `json:"outcome"`
	Label     string `json:"labellong"`
	Hidden    bool   `json:"hidden"`
	Private   bool   `json:"hidefromuser"`
	forbidden bool
}

type agent struct {
	ID         int    `json:"id"`
	Name       string `json:"name"`
	IsDisabled bool   `json:"isdisabled"`
	IsAPI      bool   `json:"isapiagent"`
}

type link struct {
	ID           int    `json:"id"`
	ModuleID     int    `json:"module_id"`
	HaloID       int    `json:"halo_id"`
	ThirdPartyID string `json:"third_party_id"`
	Desc         string `json:"third_party_desc,omitempty"`
}

// ticket is one as far as anybody here asks for it.
type ticket struct {
	ID             int           `json:"id"`
	Summary        string        `json:"summary"`
	Details        string        `json:"details"`
	DetailsHTML    string        `json:"details_html"`
	ClientID       int           `json:"client_id"`
	ClientName     string        `json:"client_name"`
	UserName       string        `json:"user_name"`
	TypeID         int           `json:"tickettype_id"`
	TypeName       string        `json:"tickettype_name"`
	StatusID       int           `json:"status_id"`
	PriorityID     int           `json:"priority_id"`
	SLA            int           `json:"sla_id"`
	Team           string        `json:"team"`
	AgentID        int           `json:"agent_id"`
	CategoryID     int           `json:"categoryid_1,omitempty"`
	Category       string        `json:"category_1,omitempty"`
	Reference      string        `json:"third_party_id_string,omitempty"`
	CustomFields   []customField `json:"customfields,omitempty"`
	Closed         bool          `json:"hasbeenclosed"`
	DateClosed     string        `json:"dateclosed,omitempty"`
	ClosedBy       int           `json:"closure_agent_id,omitempty"`
	Deleted        bool          `json:"deleted"`
	MergedInto     int           `json:"merged_into_id,omitempty"`
	DateOccurred   string        `json:"dateoccurred"`
	LastUpdate     string        `json:"last_update"`
	LastActionDate string        `json:"lastactiondate,omitempty"`
	Source         int           `json:"source"`

	actions []*action
	updated time.Time
}

type customField struct {
	ID    int    `json:"id"`
	Name  string `json:"name,omitempty"`
	Value any    `json:"value"`
}

type action struct {
	TicketID    int     `json:"ticket_id"`
	ID          int     `json:"id"` // counted for each ticket
	Outcome     string  `json:"outcome"`
	OutcomeID   int     `json:"outcome_id"`
	Note        string  `json:"note"`
	NoteHTML    string  `json:"note_html,omitempty"`
	Hidden      bool    `json:"hiddenfromuser"`
	DateTime    string  `json:"datetime"`
	Who         string  `json:"who"`
	WhoType     int     `json:"who_type"`
	AgentID     int     `json:"actionby_agent_id,omitempty"`
	UserID      int     `json:"actionby_user_id,omitempty"`
	Application string  `json:"actionby_application_id,omitempty"`
	TimeTaken   float64 `json:"timetaken"`
}

// Agents.
const (
	unassigned = 1
	technician = 4
	apiAgent   = 11
)

var agents = []agent{
	{ID: unassigned, Name: "Unassigned"}, {ID: technician, Name: "Terry Technician"}, {ID: apiAgent, Name: "Cairn API", IsAPI: true},
}

// Statuses that the code refers to.
const (
	statusNew    = 1
	statusClosed = 9
)

// furnish makes what an MSP of the demo has.
func (s *Server) furnish() {
	s.statuses = []status{
		{ID: statusNew, Name: "New"},
		{ID: 2, Name: "In Progress"},
		{ID: 4, Name: "With User"},
		{ID: statusClosed, Name: "Closed", closed: true},
		{ID: 20, Name: "Cancelled", closed: true},
	}
	s.types = []ticketType{
		{ID: 1, Name: "Incident", CanCreate: true, WorkflowID: 1, SLA: 1, statuses: []int{1, 2, 4, 9, 20}},
		{ID: 21, Name: "Alert", CanCreate: true, SLA: 0, statuses: []int{1, 2, 9}}, // without an SLA, and so without priorities
		{ID: 30, Name: "Project", CanCreate: false, WorkflowID: 1, SLA: 1, statuses: []int{1, 9}},
	}
	for i := range s.types {
		s.types[i].Fields = []typeField{
			{FieldID: 101, Name: "Impacted site", Technew: 1, Info: fieldInfo{101, "CFImpactedSite", "Impacted site", 0}},
			{FieldID: 102, Name: "Notes for dispatch", Technew: 1, Info: fieldInfo{102, "CFDispatch", "Notes for dispatch", 0}},
		}
	}
	s.outcomes = []outcome{
		{ID: 7, Outcome: "Internal Note", Label: "Internal Note", Private: true},
		{ID: 3, Outcome: "Email User", Label: "Email User"},
		{ID: 16, Outcome: "Public Note", Label: "Public Note"},
		{ID: 40, Outcome: "Approve", Label: "Approve", forbidden: true},
	}
	s.teams = []team{{1, "1st Line Support", false}, {2, "Security", false}, {3, "Disbanded", true}}
	for i, name := range []string{"Alpine Managed Services", "Unknown"} {
		s.AddClient(i+2, name, "", "")
	}
}

// AddClient makes a client; tenant is the Microsoft tenant it is linked to, if any.
func (s *Server) AddClient(id int, name, website, tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &client{ID: id, Name: name, Website: website}
	if tenant != "" {
		c.Tenants = []azureTenant{{ID: id, ClientID: id, TenantID: tenant, Name: name}}
	}
	s.clients = append(s.clients, c)
}

// SetClientActive says whether a client is one still.
func (s *Server) SetClientActive(id int, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clientBy(id); c != nil {
		c.Inactive = !active
	}
}

func (s *Server) clientBy(id int) *client {
	i := slices.IndexFunc(s.clients, func(c *client) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return s.clients[i]
}

func (s *Server) typeBy(id int) *ticketType {
	i := slices.IndexFunc(s.types, func(t ticketType) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &s.types[i]
}

func (s *Server) statusBy(id int) *status {
	i := slices.IndexFunc(s.statuses, func(x status) bool { return x.ID == id })
	if i < 0 {
		return nil
	}
	return &s.statuses[i]
}

func (s *Server) nextID() int {
	s.lastID++
	return s.lastID
}

// stamp is how the API writes times: UTC, without a mark of it, and finer than
// anybody asked.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000") }

// bare is an error that is a JSON string and nothing else.
func bare(text string) []byte {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return raw
}

func (s *Server) absent(what string, id any) (int, any) {
	if s.behaviour.AbsentEmpty {
		return 200, map[string]any{}
	}
	return 404, bare(fmt.Sprintf("%s %v was not found", what, id))
}

// list wraps rows as the API's lists are.
func list(name string, count, page, size int, rows []psa.Record) map[string]any {
	return map[string]any{"record_count": count, "page_no": page, "page_size": size, name: rows}
}
