package autotask

import (
	"errors"
	"strconv"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// What people do in the PSA's own pages.

var errNoTicket = errors.New("there is no such ticket")

func (s *Server) person(id int, do func(ticket psa.Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.entity("Tickets").row(id)
	if row == nil {
		return errNoTicket
	}
	return do(row)
}

// SetStatus gives a ticket another status.
func (s *Server) SetStatus(id, status int, _ string) error {
	return s.person(id, func(t psa.Record) error {
		if errs := s.entity("Tickets").field("status").check(float64(status)); len(errs) > 0 {
			return errors.New(errs[0])
		}
		t["status"] = float64(status)
		s.settle(t, technician)
		s.touch(t, technician, "Update")
		return nil
	})
}

// Close completes a ticket.
func (s *Server) Close(id int, who string) error { return s.SetStatus(id, statusComplete, who) }

// Note adds a technician's note that the company's people see.
func (s *Server) Note(id int, text, _ string) error { return s.note(id, text, 1) }

// Remark adds a technician's note that only the MSP's people see.
func (s *Server) Remark(id int, text, _ string) error { return s.note(id, text, 2) }

func (s *Server) note(id int, text string, publish float64) error {
	return s.person(id, func(t psa.Record) error {
		s.addNote(t, psa.Record{
			"title": "Note", "description": text, "noteType": float64(3), "publish": publish, "creatorResourceID": float64(technician),
		}, technician)
		return nil
	})
}

// Rule adds what a workflow rule writes.
func (s *Server) Rule(id int, text string) error {
	return s.person(id, func(t psa.Record) error {
		s.addNote(t, psa.Record{
			"title": "Rule", "description": text, "noteType": float64(13), "publish": float64(2), "creatorResourceID": float64(technician),
		}, technician)
		return nil
	})
}

// Reply adds what a person of the company wrote.
func (s *Server) Reply(id int, text string) error {
	return s.person(id, func(t psa.Record) error {
		s.addNote(t, psa.Record{
			"title": "Reply", "description": text, "noteType": float64(3), "publish": float64(1), "createdByContactID": float64(77),
		}, 0)
		return nil
	})
}

// Work has a technician enter working time.
func (s *Server) Work(id int, text, _ string) error {
	return s.person(id, func(t psa.Record) error {
		now := stamp(s.cfg.Now())
		s.entity("TimeEntries").insert(psa.Record{
			"id": float64(s.nextID()), "ticketID": t["id"], "resourceID": float64(technician), "summaryNotes": text, "hoursWorked": 0.25,
			"createDateTime": now, "lastModifiedDateTime": now,
		})
		return nil
	})
}

// Merge tells that the API shows no merges: there is nothing to see of one.
func (s *Server) Merge(int, int, string) error {
	return errors.New("merged tickets can't be told in Autotask's API")
}

// Delete deletes a ticket, which no API can.
func (s *Server) Delete(id int, _ string) error {
	return s.person(id, func(t psa.Record) error {
		e := s.entity("Tickets")
		i, _ := e.index(id)
		e.rows = append(e.rows[:i:i], e.rows[i+1:]...)
		s.entity("DeletedTicketLogs").insert(psa.Record{
			"id": float64(s.nextID()), "ticketID": t["id"], "ticketNumber": t["ticketNumber"], "ticketTitle": t["title"],
			"deletedDateTime": stamp(s.cfg.Now()), "deletedByResourceID": float64(technician),
		})
		s.callOut(t, technician, "Delete")
		return nil
	})
}

// label is what a column's value is called.
func (s *Server) label(t psa.Record, name string) string {
	for _, p := range s.entity("Tickets").field(name).Values {
		if p.Value == strconv.Itoa(intOf(t[name])) {
			return p.Label
		}
	}
	return ""
}

// Tickets returns all tickets, oldest first.
func (s *Server) Tickets() []psa.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := func(v any) string { x, _ := v.(string); return x }
	notes := map[int][]psa.Note{}
	for _, n := range s.entity("TicketNotes").rows {
		by := strconv.Itoa(intOf(n["creatorResourceID"]))
		notes[intOf(n["ticketID"])] = append(notes[intOf(n["ticketID"])], psa.Note{
			Text: text(n["description"]), By: by, At: text(n["createDateTime"]), Internal: intOf(n["publish"]) == 2,
		})
	}
	var out []psa.Ticket
	for _, t := range s.entity("Tickets").rows {
		x := psa.Ticket{
			ID: idOf(t), Number: text(t["ticketNumber"]), Title: text(t["title"]), Board: s.label(t, "queueID"), Status: s.label(t, "status"),
			Priority: s.label(t, "priority"), CompanyID: intOf(t["companyID"]), Reference: text(t["externalID"]),
			Closed: intOf(t["status"]) == statusComplete, Entered: text(t["createDate"]), Updated: text(t["lastActivityDate"]),
			Notes: append([]psa.Note{{Text: text(t["description"]), At: text(t["createDate"])}}, notes[idOf(t)]...),
		}
		if c := s.entity("Companies").row(x.CompanyID); c != nil {
			x.Company = text(c["companyName"])
		}
		out = append(out, x)
	}
	return out
}
