package connectwise

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Lists that tickets refer to.

func listOf[T any](s *Server, r *request, all []T) (int, any, http.Header) {
	out := make([]record, len(all))
	for i, x := range all {
		out[i] = psa.AsRecord(x)
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listBoards(r *request) (int, any, http.Header) { return listOf(s, r, s.boards) }

func (s *Server) boardAt(r *request) *board {
	id, _ := strconv.Atoi(r.path[2])
	if id == 0 {
		return nil
	}
	return s.boardBy(named{ID: id})
}

func (s *Server) listStatuses(r *request) (int, any, http.Header) {
	b := s.boardAt(r)
	if b == nil {
		return missing("Board " + r.path[2])
	}
	return listOf(s, r, b.statuses)
}

func (s *Server) listTypes(r *request) (int, any, http.Header) {
	b := s.boardAt(r)
	if b == nil {
		return missing("Board " + r.path[2])
	}
	out := make([]record, len(b.types))
	for i, x := range b.types {
		out[i] = psa.AsRecord(map[string]any{"id": x.ID, "name": x.Name, "board": named{b.ID, b.Name}, "inactiveFlag": false, "defaultFlag": i == 0})
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listTeams(r *request) (int, any, http.Header) {
	b := s.boardAt(r)
	if b == nil {
		return missing("Board " + r.path[2])
	}
	var out []record
	if b.team != nil {
		out = append(out, psa.AsRecord(map[string]any{"id": b.team.ID, "name": b.team.Name, "boardId": b.ID, "defaultFlag": true, "teamLeader": memberRef{5, psa.Technician, "Terry Technician"}}))
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listOf(r *request, of func(*board) []named) (int, any, http.Header) {
	b := s.boardAt(r)
	if b == nil {
		return missing("Board " + r.path[2])
	}
	var out []record
	for _, x := range of(b) {
		out = append(out, psa.AsRecord(map[string]any{"id": x.ID, "name": x.Name, "board": named{b.ID, b.Name}, "inactiveFlag": false}))
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listSubTypes(r *request) (int, any, http.Header) {
	return s.listOf(r, func(b *board) []named { return b.subTypes })
}

func (s *Server) listItems(r *request) (int, any, http.Header) {
	return s.listOf(r, func(b *board) []named { return b.items })
}

func (s *Server) listMembers(r *request) (int, any, http.Header) {
	out := []map[string]any{
		{"id": 5, "identifier": psa.Technician, "firstName": "Terry", "lastName": "Technician"},
		{"id": 9, "identifier": Member, "firstName": "Cairn", "lastName": "API"},
	}
	return listOf(s, r, out)
}

func (s *Server) listUserFields(r *request) (int, any, http.Header) {
	out := slices.Clone(s.fields)
	for i := range out {
		out[i].Required = out[i].Required || out[i].ID == s.behaviour.RequiredCustomField
	}
	return listOf(s, r, out)
}

func (s *Server) listTimes(r *request) (int, any, http.Header) {
	var out []record
	for _, id := range s.order {
		for _, e := range s.tickets[id].times {
			out = append(out, psa.AsRecord(e))
		}
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listPriorities(r *request) (int, any, http.Header) {
	out := make([]record, len(s.priority))
	for i, x := range s.priority {
		out[i] = psa.AsRecord(map[string]any{"id": x.ID, "name": x.Name, "color": "Red", "sortOrder": i + 1, "defaultFlag": i == 2})
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listSources(r *request) (int, any, http.Header) {
	out := make([]record, len(s.sources))
	for i, x := range s.sources {
		out[i] = psa.AsRecord(map[string]any{"id": x.ID, "name": x.Name, "defaultFlag": i == 0})
	}
	return s.list(r, out, r.URL.Query())
}

func (s *Server) listCompanies(r *request) (int, any, http.Header) { return listOf(s, r, s.companies) }

func (s *Server) countCompanies(r *request) (int, any, http.Header) {
	out := make([]record, len(s.companies))
	for i, c := range s.companies {
		out[i] = psa.AsRecord(c)
	}
	kept, err := s.filter(out, r.URL.Query().Get("conditions"))
	if err != nil {
		return badRequest(err)
	}
	return http.StatusOK, map[string]int{"count": len(kept)}, nil
}

func (s *Server) getCompany(r *request) (int, any, http.Header) {
	id, _ := strconv.Atoi(r.path[2])
	for _, c := range s.companies {
		if c.ID == id && !c.DeletedFlag {
			return http.StatusOK, c, nil
		}
	}
	return missing("Company " + r.path[2])
}

func (s *Server) listCompanyStatuses(r *request) (int, any, http.Header) {
	return listOf(s, r, []record{
		psa.AsRecord(map[string]any{"id": statusActive, "name": "Active", "defaultFlag": true, "inactiveFlag": false}),
		psa.AsRecord(map[string]any{"id": statusInactive, "name": "Inactive", "defaultFlag": false, "inactiveFlag": true}),
	})
}
