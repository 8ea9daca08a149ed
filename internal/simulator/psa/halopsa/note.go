package halopsa

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// incomingAction is what an action may be written with.
type incomingAction struct {
	TicketID  whole   `json:"ticket_id"`
	OutcomeID whole   `json:"outcome_id"`
	Outcome   string  `json:"outcome"`
	Note      string  `json:"note"`
	NoteHTML  string  `json:"note_html"`
	Hidden    *bool   `json:"hiddenfromuser"`
	NewStatus whole   `json:"new_status"`
	TimeTaken float64 `json:"timetaken"`
}

func (s *Server) writeActions(r *request) (int, any) {
	return each(r, func(in incomingAction) (any, error) {
		t := s.tickets[int(in.TicketID)]
		if t == nil || t.Deleted {
			return nil, missing(fmt.Sprintf("Ticket %d was not found", in.TicketID))
		}
		i := slices.IndexFunc(s.outcomes, func(o outcome) bool {
			return o.ID == int(in.OutcomeID) || in.OutcomeID == 0 && in.Outcome != "" && strings.EqualFold(o.Outcome, in.Outcome)
		})
		switch {
		case i < 0:
			return nil, errors.New("An Outcome must be entered for this Action") //nolint:staticcheck // the vendor's words begin so
		case s.outcomes[i].forbidden:
			return nil, errors.New("You do not have access to this Action at the moment") //nolint:staticcheck // the same
		}
		a := action{
			Outcome: s.outcomes[i].Outcome, OutcomeID: s.outcomes[i].ID, Note: in.Note, NoteHTML: in.NoteHTML, Hidden: s.outcomes[i].Private,
			Who: "Cairn API", WhoType: 1, AgentID: apiAgent, Application: s.cfg.ClientID, TimeTaken: in.TimeTaken,
		}
		if in.NoteHTML != "" {
			a.Note = textOf(in.NoteHTML)
		}
		if in.Hidden != nil {
			a.Hidden = *in.Hidden
		}
		if in.NewStatus != 0 {
			if err := s.setStatus(t, s.typeBy(t.TypeID), int(in.NewStatus)); err != nil {
				return nil, err
			}
		}
		return s.addAction(t, a), nil
	})
}

func (s *Server) addAction(t *ticket, a action) *action {
	a.TicketID, a.ID, a.DateTime = t.ID, len(t.actions)+1, stamp(s.cfg.Now())
	t.actions = append(t.actions, &a)
	t.LastActionDate = a.DateTime
	s.touch(t, "Ticket Updated", &a)
	return &a
}

// listActions answers those of a ticket, newest first. There are no pages: count
// rows come, or fifty.
func (s *Server) listActions(r *request) (int, any) {
	var out []psa.Record
	for _, id := range s.order {
		t := s.tickets[id]
		if v := r.query.Get("ticket_id"); v != "" && v != strconv.Itoa(t.ID) {
			continue
		}
		for _, a := range t.actions {
			if r.query.Get("excludeprivate") == "true" && a.Hidden {
				continue
			}
			row := psa.AsRecord(a)
			if r.query.Get("includehtmlnote") != "true" {
				delete(row, "note_html")
			}
			out = append(out, row)
		}
	}
	slices.Reverse(out)
	r.query.Del("pageinate")
	_, body := paged(r, "actions", out)
	return http.StatusOK, body
}
