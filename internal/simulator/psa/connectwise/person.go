package connectwise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// What people do in the PSA's own pages. Who is the member who does it.

var errNoTicket = errors.New("there is no such ticket")

// SetStatus gives a ticket another status of its board.
func (s *Server) SetStatus(id, statusID int, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil {
		return errNoTicket
	}
	t.Status = &named{ID: statusID}
	if errs := s.settle(t, false); len(errs) > 0 {
		return errors.New(errs[0].Message)
	}
	if t.ClosedFlag {
		t.ClosedBy = who
	}
	s.touch(t, who, "updated")
	return nil
}

// Close gives a ticket the first status of its board that closes.
func (s *Server) Close(id int, who string) error {
	s.mu.Lock()
	t := s.tickets[id]
	if t == nil {
		s.mu.Unlock()
		return errNoTicket
	}
	statuses := s.boardBy(*t.Board).statuses
	i := slices.IndexFunc(statuses, func(x *status) bool { return x.Closed })
	s.mu.Unlock()
	return s.SetStatus(id, statuses[i].ID, who)
}

// Note adds a person's note to a ticket's discussion.
func (s *Server) Note(id int, text, who string) error {
	return s.note(id, note{Text: text, DetailDescriptionFlag: true}, who)
}

// Remark adds a person's note that only the MSP's people see.
func (s *Server) Remark(id int, text, who string) error {
	return s.note(id, note{Text: text, InternalAnalysisFlag: true}, who)
}

func (s *Server) note(id int, n note, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil {
		return errNoTicket
	}
	s.addNote(t, n, who)
	s.touch(t, who, "updated")
	return nil
}

// Work has a technician enter working time, with a text that the company sees.
func (s *Server) Work(id int, text, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil {
		return errNoTicket
	}
	now := stamp(s.cfg.Now())
	t.times = append(t.times, &timeEntry{
		ID: s.nextID(), ChargeToID: t.ID, ChargeToType: "ServiceTicket", Notes: text, TimeStart: now, ActualHours: 1,
		Info: map[string]any{"dateEntered": now, "enteredBy": who, "lastUpdated": now, "updatedBy": who},
	})
	return nil
}

// Reply has a person of the company write into the discussion.
func (s *Server) Reply(id int, text, contact string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil {
		return errNoTicket
	}
	n := s.addNote(t, note{Text: text, DetailDescriptionFlag: true}, "customer-portal")
	n.Contact = &named{ID: 77, Name: contact}
	s.touch(t, "customer-portal", "updated")
	return nil
}

// Merge merges a ticket into another.
func (s *Server) Merge(child, parent int, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, p := s.tickets[child], s.tickets[parent]
	if c == nil || p == nil || c == p {
		return errNoTicket
	}
	s.merge(c, p, who)
	return nil
}

// Delete deletes a ticket.
func (s *Server) Delete(id int, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[id]
	if t == nil {
		return errNoTicket
	}
	s.remove(t, who)
	return nil
}

// Tickets returns all tickets, oldest first.
func (s *Server) Tickets() []psa.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]psa.Ticket, 0, len(s.order))
	for _, id := range s.order {
		t := s.tickets[id]
		x := psa.Ticket{
			ID: t.ID, Number: fmt.Sprintf("#%d", t.ID), Title: t.Summary, Board: t.Board.Name, Status: t.Status.Name,
			Company: t.Company.Name, CompanyID: t.Company.ID, Reference: t.ExternalXRef, Closed: t.ClosedFlag, Merged: t.MergedParent != nil,
			Entered: fmt.Sprint(t.Info["dateEntered"]), Updated: stamp(t.updated),
		}
		if t.Priority != nil {
			x.Priority = t.Priority.Name
		}
		for _, n := range t.notes {
			x.Notes = append(x.Notes, psa.Note{Text: n.Text, By: n.CreatedBy, At: n.DateCreated, Internal: n.InternalAnalysisFlag})
		}
		out = append(out, x)
	}
	return out
}
