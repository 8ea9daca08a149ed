package halopsa

import (
	"errors"
	"strconv"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// What people do in the PSA's own pages.

var errNoTicket = errors.New("there is no such ticket")

// person changes a ticket as an agent would.
func (s *Server) person(id int, do func(t *ticket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil || t.Deleted {
		return errNoTicket
	}
	if err := do(t); err != nil {
		return err
	}
	s.touch(t, "Ticket Updated", nil)
	return nil
}

// SetStatus gives a ticket another status.
func (s *Server) SetStatus(id, statusID int, _ string) error {
	return s.person(id, func(t *ticket) error {
		if err := s.setStatus(t, s.typeBy(t.TypeID), statusID); err != nil {
			return err
		}
		if t.Closed {
			t.ClosedBy = technician
		}
		return nil
	})
}

// Close closes a ticket.
func (s *Server) Close(id int, who string) error { return s.SetStatus(id, statusClosed, who) }

// Note adds an agent's note that the client's people see.
func (s *Server) Note(id int, text, who string) error {
	return s.note(id, action{Outcome: "Public Note", OutcomeID: 16, Note: text, Who: who})
}

// Remark adds an agent's note that only the MSP's people see.
func (s *Server) Remark(id int, text, who string) error {
	return s.note(id, action{Outcome: "Internal Note", OutcomeID: 7, Hidden: true, Note: text, Who: who})
}

// Work adds an agent's note with working time.
func (s *Server) Work(id int, text, who string) error {
	return s.note(id, action{Outcome: "Public Note", OutcomeID: 16, Note: text, Who: who, TimeTaken: 0.25})
}

func (s *Server) note(id int, a action) error {
	return s.person(id, func(t *ticket) error {
		a.WhoType, a.AgentID = 1, technician
		s.addAction(t, a)
		return nil
	})
}

// Reply adds what a person of the client wrote.
func (s *Server) Reply(id int, text, who string) error {
	return s.person(id, func(t *ticket) error {
		s.addAction(t, action{Outcome: "Update from User", Note: text, Who: who, UserID: 88})
		return nil
	})
}

// Merge merges a ticket into another.
func (s *Server) Merge(child, parent int, _ string) error {
	return s.person(child, func(t *ticket) error {
		if p := s.tickets[parent]; p == nil || p == t {
			return errNoTicket
		}
		t.MergedInto = parent
		return s.setStatus(t, s.typeBy(t.TypeID), statusClosed)
	})
}

// Delete deletes a ticket, softly.
func (s *Server) Delete(id int, _ string) error {
	return s.person(id, func(t *ticket) error {
		t.Deleted = true
		return nil
	})
}

// Tickets returns all tickets that were not deleted, oldest first.
func (s *Server) Tickets() []psa.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []psa.Ticket
	for _, id := range s.order {
		t := s.tickets[id]
		if t.Deleted {
			continue
		}
		x := psa.Ticket{
			ID: t.ID, Number: "#" + strconv.Itoa(t.ID), Title: t.Summary, Board: t.Team, Company: t.ClientName, CompanyID: t.ClientID,
			Reference: t.Reference, Closed: t.Closed, Merged: t.MergedInto != 0, Entered: t.DateOccurred, Updated: t.LastUpdate,
			Notes: []psa.Note{{Text: t.Details, By: t.UserName, At: t.DateOccurred}},
		}
		if st := s.statusBy(t.StatusID); st != nil {
			x.Status = st.Name
		}
		for _, p := range priorities {
			if p.SLA == t.SLA && p.Priority == t.PriorityID {
				x.Priority = p.Name
			}
		}
		for _, a := range t.actions {
			x.Notes = append(x.Notes, psa.Note{Text: a.Note, By: a.Who, At: a.DateTime, Internal: a.Hidden})
		}
		out = append(out, x)
	}
	return out
}
