package autotask

import (
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

func (s *Server) createNote(ticketID int, in psa.Record) (int, []string) {
	ticket := s.entity("Tickets").row(ticketID)
	if ticket == nil {
		return 0, []string{"No matching records found for the ticketID that was sent."}
	}
	if errs := s.validate(s.entity("TicketNotes"), in, true); len(errs) > 0 {
		return 0, errs
	}
	return s.addNote(ticket, psa.Record{
		"title": in["title"], "description": in["description"], "noteType": in["noteType"], "publish": in["publish"], "creatorResourceID": float64(apiUser),
	}, apiUser), nil
}

func (s *Server) addNote(ticket, note psa.Record, by int) int {
	id, now := s.nextID(), stamp(s.cfg.Now())
	note["id"], note["ticketID"], note["createDateTime"], note["lastActivityDate"] = float64(id), ticket["id"], now, now
	s.entity("TicketNotes").insert(note)
	ticket["lastActivityDate"], ticket["lastActivityResourceID"] = now, float64(by)
	return id
}
