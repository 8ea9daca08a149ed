package halopsa

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Lists that tickets refer to. Most are bare arrays.

func (s *Server) whoAmI(*request) (int, any) { return http.StatusOK, agents[2] }

func (s *Server) listAgents(*request) (int, any) { return http.StatusOK, agents }

func (s *Server) listTeams(*request) (int, any) { return http.StatusOK, s.teams }

func (s *Server) listTypes(r *request) (int, any) {
	all := slices.Clone(s.types)
	if r.query.Get("can_create_only") == "true" {
		all = slices.DeleteFunc(all, func(t ticketType) bool { return !t.CanCreate })
	}
	for i := range all {
		all[i].Fields = nil
	}
	return http.StatusOK, all
}

func (s *Server) typeAt(r *request) *ticketType {
	id, _ := strconv.Atoi(r.path[1])
	return s.typeBy(id)
}

func (s *Server) getType(r *request) (int, any) {
	t := s.typeAt(r)
	if t == nil {
		return s.absent("Ticket type", r.path[1])
	}
	out := *t
	out.Fields = slices.Clone(t.Fields)
	for i := range out.Fields {
		if out.Fields[i].FieldID == s.behaviour.RequiredField {
			out.Fields[i].Technew = 2
		}
	}
	return http.StatusOK, out
}

func (s *Server) getWorkflow(r *request) (int, any) {
	if r.path[1] != "1" {
		return s.absent("Workflow", r.path[1])
	}
	actions := func(ids ...int) (out []map[string]int) {
		for _, id := range ids {
			out = append(out, map[string]int{"action_id": id})
		}
		return out
	}
	return http.StatusOK, map[string]any{"id": 1, "name": "Incident", "steps": []any{
		map[string]any{"stage_name": "New", "actions": actions(7, 3)},
		map[string]any{"stage_name": "Working", "actions": actions(7, 3, 16)},
	}}
}

func (s *Server) listStatuses(r *request) (int, any) {
	all := slices.Clone(s.statuses)
	if id, err := strconv.Atoi(r.query.Get("tickettype_id")); err == nil {
		t := s.typeBy(id)
		all = slices.DeleteFunc(all, func(x status) bool { return t == nil || !slices.Contains(t.statuses, x.ID) })
	}
	if r.query.Get("excludeclosed") == "true" {
		all = slices.DeleteFunc(all, func(x status) bool { return x.closed })
	}
	return http.StatusOK, all
}

type priority struct {
	ID       string `json:"id"`
	SLA      int    `json:"slaid"`
	Priority int    `json:"priorityid"`
	Name     string `json:"name"`
	Hidden   bool   `json:"ishidden"`
}

var priorities = []priority{
	{"p1", 1, 1, "Critical", false},
	{"p2", 1, 2, "High", false},
	{"p3", 1, 3, "Medium", false},
	{"p4", 1, 4, "Low", false},
	{"q1", 2, 1, "Whenever", false}, // the same number under another SLA
}

func (s *Server) listPriorities(r *request) (int, any) {
	all := slices.Clone(priorities)
	if v := r.query.Get("slaid"); v != "" {
		all = slices.DeleteFunc(all, func(p priority) bool { return strconv.Itoa(p.SLA) != v })
	}
	return http.StatusOK, all
}

type category struct {
	ID    int    `json:"id"`
	Value string `json:"value"`
	Name  string `json:"category_name"`
	Type  int    `json:"type_id"`
}

var categories = []category{{11, "Security>Account", "Security>Account", 1}, {12, "Security>Mail", "Security>Mail", 1}}

func (s *Server) listCategories(*request) (int, any) { return http.StatusOK, categories }

func (s *Server) listOutcomes(*request) (int, any) { return http.StatusOK, s.outcomes }

func (s *Server) listLinks(r *request) (int, any) {
	all := slices.Clone(s.links)
	if v := r.query.Get("third_party_id"); v != "" {
		all = slices.DeleteFunc(all, func(l link) bool { return l.ThirdPartyID != v })
	}
	return http.StatusOK, append([]link{}, all...)
}

func (s *Server) listClients(r *request) (int, any) {
	var out []psa.Record
	for _, c := range s.clients {
		if c.Inactive && r.query.Get("includeinactive") != "true" || !strings.Contains(strings.ToLower(c.Name), strings.ToLower(r.query.Get("search"))) {
			continue
		}
		row := psa.AsRecord(c)
		if r.query.Get("includeazuretenants") != "true" {
			delete(row, "azure_tenants")
		}
		out = append(out, row)
	}
	return paged(r, "clients", out)
}

func (s *Server) getClient(r *request) (int, any) {
	id, _ := strconv.Atoi(r.path[1])
	if c := s.clientBy(id); c != nil {
		return http.StatusOK, c
	}
	return s.absent("Client", r.path[1])
}
