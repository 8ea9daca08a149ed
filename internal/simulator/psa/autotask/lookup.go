package autotask

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// information answers what an entity is, what we may do with it, and its fields.
func (s *Server) information(r *request, e *entity) psa.Answer {
	if r.Method != http.MethodGet {
		return psa.Answer{Status: http.StatusMethodNotAllowed, Body: []byte(`{"Message":"Only GET."}`)}
	}
	if len(r.path) == 2 {
		may, access := !s.denied(e.name), "All"
		switch {
		case !may:
			access = "None"
		case slices.Contains(s.behaviour.Restricted, e.name):
			access = "Restricted"
		}
		writes := may && (e.writable || e.parent != "")
		return psa.Answer{Status: http.StatusOK, Body: map[string]any{"info": map[string]any{
			"name": e.name, "canQuery": may, "canCreate": writes, "canUpdate": writes, "canDelete": may && e.name == "TicketWebhooks",
			"userAccessForQuery": access, "userAccessForCreate": access, "userAccessForUpdate": access, "userAccessForDelete": access,
			"hasUserDefinedFields": len(e.udfs) > 0, "supportsWebhookCallouts": e.name == "Tickets",
		}}}
	}
	fields := slices.Clone(e.fields)
	if strings.EqualFold(r.path[2], "userDefinedFields") {
		fields = slices.Clone(e.udfs)
	}
	for i := range fields {
		fields[i].Required = fields[i].Required || fields[i].Name == s.behaviour.RequiredUDF || fields[i].Name == s.behaviour.RequiredField
		if fields[i].Name == "publish" && s.behaviour.UnclearPublish {
			fields[i].Values = picks(pick{Value: "1", Label: "Audience A"}, pick{Value: "2", Label: "Audience B"})
		}
		if fields[i].Values == nil {
			fields[i].Values = []pick{}
		}
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{"fields": append([]field{}, fields...)}}
}
