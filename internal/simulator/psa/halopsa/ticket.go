package halopsa

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const maxSummary = 254

// incoming is what a ticket may be written with; other fields are passed over,
// also tickettype and status as objects.
type incoming struct {
	ID           *whole        `json:"id"`
	Summary      *string       `json:"summary"`
	Details      *string       `json:"details"`
	DetailsHTML  *string       `json:"details_html"`
	ClientID     *whole        `json:"client_id"`
	TypeID       *whole        `json:"tickettype_id"`
	StatusID     *whole        `json:"status_id"`
	PriorityID   *whole        `json:"priority_id"`
	AgentID      *whole        `json:"agent_id"`
	CategoryID   *whole        `json:"categoryid_1"`
	Team         *string       `json:"team"`
	Reference    *string       `json:"third_party_id_string"`
	CustomFields []customField `json:"customfields"`
	Link         *link         `json:"new_external_link"`
	NoTemplate   bool          `json:"donotapplytemplateintheapi"`
	NoValidate   bool          `json:"_novalidate"`
	Recover      bool          `json:"_recover"`
	UserLookup   *struct {
		ID whole `json:"id"`
	} `json:"userlookup"`
}

// whole is a number that takes no fraction, not even .0.
type whole int

// UnmarshalJSON reads it.
func (n *whole) UnmarshalJSON(raw []byte) error {
	v, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil {
		return fmt.Errorf("Could not convert %s to integer", raw) //nolint:staticcheck // the vendor's words begin so
	}
	*n = whole(v)
	return nil
}

// items are what was posted: an array, or one object.
func items[T any](body []byte) ([]T, error) {
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		body = append(append([]byte("["), trimmed...), ']')
	}
	var out []T
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errors.New("nothing was posted")
	}
	return out, nil
}

// each writes every item and answers the last, or all where that is asked.
func each[T any](r *request, write func(T) (any, error)) (int, any) {
	all, err := items[T](r.body)
	if err != nil {
		return http.StatusBadRequest, bare(err.Error())
	}
	var out []any
	for _, one := range all {
		written, err := write(one)
		var gone missing
		switch {
		case errors.As(err, &gone):
			return http.StatusNotFound, bare(err.Error())
		case err != nil:
			return http.StatusBadRequest, bare(err.Error())
		}
		out = append(out, written)
	}
	if r.query.Get("returnall") == "true" {
		return http.StatusCreated, out
	}
	return http.StatusCreated, out[len(out)-1]
}

// missing is the error of a record that is not there.
type missing string

func (m missing) Error() string { return string(m) }

func (s *Server) writeTickets(r *request) (int, any) {
	if s.behaviour.Racing && s.making.Load() > 1 && len(s.order) > 0 {
		return http.StatusCreated, s.tickets[s.order[len(s.order)-1]]
	}
	return each(r, func(in incoming) (any, error) {
		if in.ID != nil && *in.ID != 0 {
			return s.updateTicket(in)
		}
		return s.createTicket(in)
	})
}

func (s *Server) createTicket(in incoming) (*ticket, error) {
	t := &ticket{TypeID: s.types[0].ID, StatusID: statusNew, Team: s.teams[0].Name, AgentID: unassigned, DateOccurred: stamp(s.cfg.Now())}
	if in.Summary == nil || strings.TrimSpace(*in.Summary) == "" {
		return nil, errors.New("Please enter a value for 'Summary'") //nolint:staticcheck // the vendor's words begin so
	}
	if in.ClientID == nil {
		return nil, errors.New("Please select a Client") //nolint:staticcheck // the same
	}
	if err := s.apply(t, in); err != nil {
		return nil, err
	}
	if c := s.clientBy(t.ClientID); c.Inactive && s.behaviour.InactiveClientRefused {
		return nil, fmt.Errorf("Client %s is inactive", c.Name) //nolint:staticcheck // the same
	}
	if f := s.behaviour.RequiredField; f != 0 && !in.NoValidate && !slices.ContainsFunc(t.CustomFields, func(c customField) bool { return c.ID == f }) {
		for _, x := range s.typeBy(t.TypeID).Fields {
			if x.FieldID == f {
				return nil, fmt.Errorf("Please enter a value for '%s'", x.Name) //nolint:staticcheck // the same
			}
		}
	}
	if !in.NoTemplate {
		t.Summary, t.Details = "Template: "+t.Summary, "Please describe the problem."
	}
	if t.PriorityID == 0 && s.typeBy(t.TypeID).SLA != 0 {
		t.PriorityID = 4
	}
	t.ID, t.UserName = s.nextID(), "General User"
	s.tickets[t.ID] = t
	s.order = append(s.order, t.ID)
	if in.Link != nil && !s.behaviour.NoLinks {
		s.links = append(s.links, link{ID: s.nextID(), HaloID: t.ID, ThirdPartyID: in.Link.ThirdPartyID, Desc: in.Link.Desc})
	}
	s.touch(t, "New Ticket Logged", nil)
	return t, nil
}

func (s *Server) updateTicket(in incoming) (*ticket, error) {
	t := s.tickets[int(*in.ID)]
	if t == nil || t.Deleted && !in.Recover {
		return nil, missing(fmt.Sprintf("Ticket %d was not found", *in.ID))
	}
	before := *t
	if in.Recover {
		t.Deleted = false
	}
	if err := s.apply(t, in); err != nil {
		*t = before
		return nil, err
	}
	if t.Closed && !before.Closed {
		t.ClosedBy = apiAgent
	}
	s.touch(t, "Ticket Updated", nil)
	return t, nil
}

// apply sets what was sent, and nothing else.
func (s *Server) apply(t *ticket, in incoming) error {
	if in.Summary != nil {
		if utf8.RuneCountInString(*in.Summary) > maxSummary {
			return fmt.Errorf("Summary is longer than %d characters", maxSummary) //nolint:staticcheck // the vendor's words begin so
		}
		t.Summary = *in.Summary
	}
	if in.Details != nil {
		t.Details, t.DetailsHTML = *in.Details, html.EscapeString(*in.Details)
	}
	if in.DetailsHTML != nil {
		t.Details, t.DetailsHTML = textOf(*in.DetailsHTML), *in.DetailsHTML
	}
	if in.Reference != nil {
		t.Reference = *in.Reference
	}
	if in.ClientID != nil {
		c := s.clientBy(int(*in.ClientID))
		if c == nil {
			return fmt.Errorf("Client %d does not exist", *in.ClientID) //nolint:staticcheck // the same
		}
		t.ClientID, t.ClientName = c.ID, c.Name
	}
	if in.TypeID != nil {
		t.TypeID = int(*in.TypeID)
	}
	kind := s.typeBy(t.TypeID)
	if kind == nil {
		return fmt.Errorf("Ticket Type %d does not exist", t.TypeID) //nolint:staticcheck // the same
	}
	t.TypeName, t.SLA = kind.Name, kind.SLA
	if in.Team != nil {
		i := slices.IndexFunc(s.teams, func(x team) bool { return x.Name == *in.Team && !x.Inactive })
		if i < 0 {
			return fmt.Errorf("Team %q is not available", *in.Team) //nolint:staticcheck // the same
		}
		t.Team = *in.Team
	}
	if in.AgentID != nil {
		t.AgentID = int(*in.AgentID)
	}
	if in.CategoryID != nil {
		i := slices.IndexFunc(categories, func(c category) bool { return c.ID == int(*in.CategoryID) })
		if i < 0 {
			return fmt.Errorf("Category %d does not exist", *in.CategoryID) //nolint:staticcheck // the same
		}
		t.CategoryID, t.Category = categories[i].ID, categories[i].Value
	}
	if in.PriorityID != nil && slices.ContainsFunc(priorities, func(p priority) bool { return p.SLA == kind.SLA && p.Priority == int(*in.PriorityID) }) {
		t.PriorityID = int(*in.PriorityID) // one of another SLA is dropped without a word
	}
	for _, f := range in.CustomFields {
		t.CustomFields = slices.DeleteFunc(t.CustomFields, func(c customField) bool { return c.ID == f.ID })
		t.CustomFields = append(t.CustomFields, f)
	}
	if in.StatusID != nil {
		return s.setStatus(t, kind, int(*in.StatusID))
	}
	return nil
}

func (s *Server) setStatus(t *ticket, kind *ticketType, id int) error {
	x := s.statusBy(id)
	if x == nil || !slices.Contains(kind.statuses, id) {
		return fmt.Errorf("Status %d is not available for Ticket Type %s", id, kind.Name) //nolint:staticcheck // the vendor's words begin so
	}
	t.StatusID = id
	if x.closed != t.Closed {
		t.Closed, t.DateClosed, t.ClosedBy = x.closed, "", 0
		if x.closed {
			t.DateClosed = stamp(s.cfg.Now())
		}
	}
	return nil
}

var (
	lineBreak = regexp.MustCompile(`(?i)<br\s*/?>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
)

// textOf is the text that HTML shows.
func textOf(markup string) string {
	return html.UnescapeString(tag.ReplaceAllString(lineBreak.ReplaceAllString(markup, "\n"), ""))
}

// touch notes that a ticket changed, and tells the webhooks.
func (s *Server) touch(t *ticket, event string, a *action) {
	t.updated = s.cfg.Now().UTC()
	t.LastUpdate = stamp(t.updated)
	s.tell(t, event, a)
}

func (s *Server) getTicket(r *request) (int, any) {
	id, _ := strconv.Atoi(r.path[1])
	t := s.tickets[id]
	if t == nil {
		return s.absent("Ticket", id)
	}
	now := *t
	if s.behaviour.Stale && r.query.Get("nocache") != "true" {
		old, known := s.stale[id]
		s.stale[id] = now
		if known {
			return http.StatusOK, old
		}
	}
	return http.StatusOK, now
}

func (s *Server) deleteTicket(r *request) (int, any) {
	id, _ := strconv.Atoi(r.path[1])
	t := s.tickets[id]
	if t == nil || t.Deleted {
		return s.absent("Ticket", id)
	}
	t.Deleted = true
	s.touch(t, "Ticket Deleted", nil)
	return http.StatusOK, psa.Record{}
}
