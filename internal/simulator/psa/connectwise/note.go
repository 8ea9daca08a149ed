package connectwise

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

func (s *Server) addNote(t *ticket, n note, by string) *note {
	now := stamp(s.cfg.Now())
	n.ID, n.TicketID, n.DateCreated, n.CreatedBy = s.nextID(), t.ID, now, by
	n.InternalFlag, n.ExternalFlag = n.InternalAnalysisFlag, n.DetailDescriptionFlag || n.ResolutionFlag
	n.Info = map[string]any{"lastUpdated": now, "updatedBy": by, "dateEntered": now, "enteredBy": by}
	t.notes = append(t.notes, &n)
	return &n
}

func (s *Server) createNote(r *request) (int, any, http.Header) {
	t := s.ticketAt(r)
	if t == nil {
		return missing("Ticket " + r.path[2])
	}
	var in note
	if err := json.Unmarshal(r.body, &in); err != nil {
		return badRequest(err)
	}
	if in.Text == "" {
		return invalid("TicketNote", detail{Code: "MissingRequiredField", Message: "The text field is required.", Field: "text"})
	}
	if !in.DetailDescriptionFlag && !in.InternalAnalysisFlag && !in.ResolutionFlag {
		return invalid("TicketNote", detail{
			Code: "MissingRequiredField", Field: "detailDescriptionFlag",
			Message: "One of detailDescriptionFlag, internalAnalysisFlag and resolutionFlag is required.",
		})
	}
	n := s.addNote(t, in, Member)
	if s.behaviour.NotesTouch {
		s.touch(t, Member, "updated")
	} else {
		s.call(t, Member, "updated")
	}
	return http.StatusCreated, n, nil
}

func (s *Server) listNotes(r *request) (int, any, http.Header) {
	t := s.ticketAt(r)
	if t == nil {
		return missing("Ticket " + r.path[2])
	}
	all := make([]record, len(t.notes))
	for i, n := range t.notes {
		all[i] = psa.AsRecord(n)
	}
	return s.list(r, all, r.URL.Query())
}

func (s *Server) listAllNotes(r *request) (int, any, http.Header) {
	t := s.ticketAt(r)
	if t == nil {
		return missing("Ticket " + r.path[2])
	}
	if s.behaviour.NoAllNotes {
		return http.StatusNotFound, problem{Code: "NotFound", Message: "The resource does not exist."}, nil
	}
	var all []record
	for _, n := range t.notes {
		all = append(all, psa.AsRecord(serviceTicketNote{
			ID: n.ID, NoteType: "TicketNote", Ticket: ticketRef{t.ID, t.Summary}, Text: n.Text, DetailDescriptionFlag: n.DetailDescriptionFlag,
			InternalAnalysisFlag: n.InternalAnalysisFlag, ResolutionFlag: n.ResolutionFlag, OriginalAuthor: n.CreatedBy,
			Member: n.Member, Contact: n.Contact, Info: n.Info,
		}))
	}
	for _, e := range t.times {
		all = append(all, psa.AsRecord(serviceTicketNote{
			ID: e.ID, NoteType: "TimeEntryNote", Ticket: ticketRef{t.ID, t.Summary}, Text: e.Notes + e.InternalNotes, DetailDescriptionFlag: e.Notes != "",
			InternalAnalysisFlag: e.InternalNotes != "", OriginalAuthor: fmt.Sprint(e.Info["enteredBy"]), TimeStart: e.TimeStart,
			Member: &memberRef{5, fmt.Sprint(e.Info["enteredBy"]), ""}, Info: e.Info,
		}))
	}
	return s.list(r, all, r.URL.Query())
}

// serviceTicketNote is an entry of the list of all notes.
type serviceTicketNote struct {
	ID                    int            `json:"id"`
	NoteType              string         `json:"noteType"`
	Ticket                ticketRef      `json:"ticket"`
	Text                  string         `json:"text"`
	IsMarkdownFlag        bool           `json:"isMarkdownFlag"`
	DetailDescriptionFlag bool           `json:"detailDescriptionFlag"`
	InternalAnalysisFlag  bool           `json:"internalAnalysisFlag"`
	ResolutionFlag        bool           `json:"resolutionFlag"`
	TimeStart             string         `json:"timeStart,omitempty"`
	BundledFlag           bool           `json:"bundledFlag"`
	MergedFlag            bool           `json:"mergedFlag"`
	OriginalAuthor        string         `json:"originalAuthor"`
	Member                *memberRef     `json:"member,omitempty"`
	Contact               *named         `json:"contact,omitempty"`
	Info                  map[string]any `json:"_info"`
}
