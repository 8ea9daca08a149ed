package connectwise

import (
	"slices"
	"strings"
	"time"
)

// named is a reference to a record, as others carry it.
type named struct {
	ID   int    `json:"id"`
	Name string `json:"name,omitempty"`
}

type company struct {
	ID         int    `json:"id"`
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
	Status     struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	} `json:"status"`
	Website     string `json:"website,omitempty"`
	DeletedFlag bool   `json:"deletedFlag"`
}

// Ids of company statuses.
const (
	statusActive   = 1
	statusInactive = 2
)

func (c *company) active() bool { return c.Status.ID == statusActive && !c.DeletedFlag }

type board struct {
	ID         int    `json:"id"`
	Name       string `json:"name"`
	Inactive   bool   `json:"inactiveFlag"`
	Location   named  `json:"location"`
	Department named  `json:"department"`
	statuses   []*status
	types      []named
	subTypes   []named
	items      []named
	team       *named // what new tickets are given; a board without one refuses them
}

type status struct {
	ID        int    `json:"id"`
	Name      string `json:"name"`
	Board     named  `json:"board"`
	SortOrder int    `json:"sortOrder"`
	Inactive  bool   `json:"inactive"`
	Closed    bool   `json:"closedStatus"`
	Default   bool   `json:"defaultFlag"`
}

// ticket is a service ticket, as far as anybody here asks for it.
type ticket struct {
	ID           int            `json:"id"`
	Summary      string         `json:"summary"`
	RecordType   string         `json:"recordType"`
	Board        *named         `json:"board"`
	Status       *named         `json:"status"`
	Company      *companyRef    `json:"company"`
	Type         *named         `json:"type,omitempty"`
	SubType      *named         `json:"subType,omitempty"`
	Item         *named         `json:"item,omitempty"`
	Priority     *named         `json:"priority"`
	Source       *named         `json:"source,omitempty"`
	Team         *named         `json:"team,omitempty"`
	Severity     string         `json:"severity"`
	Impact       string         `json:"impact"`
	ExternalXRef string         `json:"externalXRef,omitempty"`
	CustomFields []customField  `json:"customFields,omitempty"`
	ClosedFlag   bool           `json:"closedFlag"`
	ClosedDate   string         `json:"closedDate,omitempty"`
	ClosedBy     string         `json:"closedBy,omitempty"`
	MergedParent *ticketRef     `json:"mergedParentTicket,omitempty"`
	HasMerged    bool           `json:"hasMergedChildTicketFlag"`
	Info         map[string]any `json:"_info"`

	notes   []*note
	times   []*timeEntry
	updated time.Time
	seen    record // see record
}

// timeEntry is working time on a ticket; what it says stands among the notes.
type timeEntry struct {
	ID            int            `json:"id"`
	ChargeToID    int            `json:"chargeToId"`
	ChargeToType  string         `json:"chargeToType"`
	Notes         string         `json:"notes,omitempty"`
	InternalNotes string         `json:"internalNotes,omitempty"`
	TimeStart     string         `json:"timeStart"`
	ActualHours   int            `json:"actualHours"`
	Info          map[string]any `json:"_info"`
}

// userField is the definition of a custom field of tickets.
type userField struct {
	ID        int           `json:"id"`
	PodID     int           `json:"podId"`
	Caption   string        `json:"caption"`
	Sequence  int           `json:"sequenceNumber"`
	Type      string        `json:"fieldTypeIdentifier"`
	EntryType string        `json:"entryTypeIdentifier"`
	Required  bool          `json:"requiredFlag"`
	Options   []fieldOption `json:"options,omitempty"`
}

// ticketPod is the part of the screens that tickets' fields stand in.
const ticketPod = 1

type fieldOption struct {
	ID    int    `json:"id"`
	Value string `json:"optionValue"`
}

type ticketRef struct {
	ID      int    `json:"id"`
	Summary string `json:"summary"`
}

type companyRef struct {
	ID         int    `json:"id"`
	Identifier string `json:"identifier,omitempty"`
	Name       string `json:"name,omitempty"`
}

type memberRef struct {
	ID         int    `json:"id"`
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
}

type customField struct {
	ID      int    `json:"id"`
	Caption string `json:"caption,omitempty"`
	Value   any    `json:"value"`
}

type note struct {
	ID                    int            `json:"id"`
	TicketID              int            `json:"ticketId"`
	Text                  string         `json:"text"`
	Contact               *named         `json:"contact,omitempty"`
	Member                *memberRef     `json:"member,omitempty"`
	DetailDescriptionFlag bool           `json:"detailDescriptionFlag"`
	InternalAnalysisFlag  bool           `json:"internalAnalysisFlag"`
	ResolutionFlag        bool           `json:"resolutionFlag"`
	DateCreated           string         `json:"dateCreated"`
	CreatedBy             string         `json:"createdBy"`
	InternalFlag          bool           `json:"internalFlag"`
	ExternalFlag          bool           `json:"externalFlag"`
	Info                  map[string]any `json:"_info"`
}

// furnish makes the boards and companies an MSP of the demo has.
func (s *Server) furnish() {
	s.priority = []named{{4, "Priority 1 - Critical"}, {6, "Priority 2 - High"}, {8, "Priority 3 - Normal"}, {10, "Priority 4 - Low"}}
	s.sources = []named{{1, "Phone"}, {2, "Email"}, {3, "Monitoring"}}
	s.fields = []userField{
		{ID: 7, PodID: ticketPod, Caption: "Impacted site", Sequence: 1, Type: "Text", EntryType: "List", Options: []fieldOption{{1, "Head office"}, {2, "Branch"}}},
		{ID: 8, PodID: 4, Caption: "Contract number", Sequence: 2, Type: "Text", EntryType: "EntryField", Required: true}, // of companies
	}
	s.AddBoard(1, "Help Desk", true)
	s.AddBoard(2, "Security", true)
	s.AddBoard(3, "Unstaffed", false)
	for i, name := range []string{"Alpine Managed Services", "Catchall (for all tickets without a company)"} {
		s.AddCompany(i+2, name, "")
	}
}

// AddBoard makes a board with the statuses New, In Progress, Waiting, Closed
// and an inactive one; their ids are a hundred times the board's and counting.
func (s *Server) AddBoard(id int, name string, staffed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &board{ID: id, Name: name, Location: named{11, "Head office"}, Department: named{10, "Services"}, types: []named{{id*100 + 1, "Incident"}, {id*100 + 2, "Request"}}}
	b.subTypes, b.items = []named{{id*100 + 11, "Security"}, {id*100 + 12, "Mail"}}, []named{{id*100 + 21, "Account"}}
	if staffed {
		b.team = &named{ID: id*100 + 1, Name: name + " Team"}
	}
	for i, x := range []string{"New", "In Progress", "Waiting", "Closed", "Retired"} {
		b.statuses = append(b.statuses, &status{
			ID: id*100 + i + 1, Name: x, Board: named{id, name}, SortOrder: (i + 1) * 10,
			Default: i == 0, Closed: x == "Closed", Inactive: x == "Retired",
		})
	}
	s.boards = append(s.boards, b)
}

// RemoveBoard deletes a board.
func (s *Server) RemoveBoard(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boards = slices.DeleteFunc(s.boards, func(b *board) bool { return b.ID == id })
}

// AddCompany makes a company.
func (s *Server) AddCompany(id int, name, website string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &company{ID: id, Name: name, Identifier: identifier(name), Website: website}
	c.Status.ID, c.Status.Name = statusActive, "Active"
	s.companies = append(s.companies, c)
}

// SetCompanyActive says whether tickets can be made for a company.
func (s *Server) SetCompanyActive(id int, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.companyBy(companyRef{ID: id}); c != nil {
		c.Status.ID, c.Status.Name = statusActive, "Active"
		if !active {
			c.Status.ID, c.Status.Name = statusInactive, "Inactive"
		}
	}
}

// identifier is a company's short name.
func identifier(name string) string {
	short := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, name)
	return short[:min(len(short), 30)]
}

func (s *Server) companyBy(ref companyRef) *company {
	for _, c := range s.companies {
		if c.ID == ref.ID || ref.ID == 0 && ref.Identifier != "" && strings.EqualFold(c.Identifier, ref.Identifier) {
			return c
		}
	}
	return nil
}

func (s *Server) boardBy(ref named) *board {
	for _, b := range s.boards {
		if b.ID == ref.ID || ref.ID == 0 && strings.EqualFold(b.Name, ref.Name) {
			return b
		}
	}
	return nil
}

func (b *board) statusBy(ref named) *status {
	for _, x := range b.statuses {
		if x.ID == ref.ID || ref.ID == 0 && strings.EqualFold(x.Name, ref.Name) {
			return x
		}
	}
	return nil
}

func find(all []named, ref named) *named {
	for _, x := range all {
		if x.ID == ref.ID || ref.ID == 0 && strings.EqualFold(x.Name, ref.Name) {
			return &x
		}
	}
	return nil
}

func (s *Server) nextID() int {
	s.lastID++
	return s.lastID
}

// stamp is how the API writes times: to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// touch notes that a ticket changed, and calls back.
func (s *Server) touch(t *ticket, by, action string) {
	t.updated = s.cfg.Now().UTC().Truncate(time.Second)
	t.Info["lastUpdated"], t.Info["updatedBy"], t.seen = stamp(t.updated), by, nil
	s.call(t, by, action)
}
