package autotask

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// level is where rights are given.
const level = "In Autotask: Admin, Resources (Users), the API user, Security Level: API User (system), or a copy of it with "

// needs are the entities Cairn works with, what it does to them, and the right
// that takes. This API alone tells rights to write before anything is written.
var needs = []struct {
	entity string
	verbs  []string // query, create, update, delete
	right  psa.Right
}{
	{"Tickets", []string{"query"}, psa.Right{Name: "Read tickets", Grant: level + "Service Desk, Tickets: view all"}},
	{"Tickets", []string{"create", "update"}, psa.Right{Name: "Add and edit tickets", Grant: level + "Service Desk, Tickets: add, edit all"}},
	{"TicketNotes", []string{"query", "create"}, psa.Right{Name: "Read and add notes", Grant: level + "Service Desk, Ticket notes: view, add"}},
	{"Companies", []string{"query"}, psa.Right{Name: "Read companies", Grant: level + "CRM, Organizations: view all"}},
	{"TimeEntries", []string{"query"}, psa.Right{Name: "Read time entries, where technicians answer", Grant: level + "Timesheets: view all", Optional: true}},
	{"Resources", []string{"query"}, psa.Right{Name: "Read resources, to tell ours from others'", Grant: level + "Admin, Resources: view", Optional: true}},
	{"DeletedTicketLogs", []string{"query"}, psa.Right{
		Name: "Read which tickets were deleted, to tell those from hidden ones", Grant: level + "Service Desk, Tickets: view all", Optional: true,
	}},
	{"TicketWebhooks", []string{"create", "delete"}, psa.Right{
		Name: "Register webhooks, so that changes show at once", Grant: level + "Web Services API, webhooks: add, delete", Optional: true,
	}},
}

// information is what the API says of an entity and of us.
type information struct {
	CanQuery  bool            `json:"canQuery"`
	CanCreate bool            `json:"canCreate"`
	CanUpdate bool            `json:"canUpdate"`
	CanDelete bool            `json:"canDelete"`
	Query     json.RawMessage `json:"userAccessForQuery"`
	Create    json.RawMessage `json:"userAccessForCreate"`
	Update    json.RawMessage `json:"userAccessForUpdate"`
	Delete    json.RawMessage `json:"userAccessForDelete"`
}

// may tells what we may do: what is restricted shows with use only.
func (i information) may(verb string) psa.RightState {
	can := map[string]bool{"query": i.CanQuery, "create": i.CanCreate, "update": i.CanUpdate, "delete": i.CanDelete}[verb]
	access := map[string]json.RawMessage{"query": i.Query, "create": i.Create, "update": i.Update, "delete": i.Delete}[verb]
	switch word := strings.ToLower(strings.Trim(string(access), `"`)); {
	case !can, word == "none":
		return psa.RightMissing
	case word == "", word == "null", word == "all":
		return psa.RightGranted
	}
	return psa.RightUnknown
}

// Verify asks for what may be done with everything Cairn needs.
func (a *Adapter) Verify(ctx context.Context) ([]psa.Right, error) {
	var rights []psa.Right
	for _, need := range needs {
		right := need.right
		right.State = psa.RightGranted
		var got struct {
			Info information `json:"info"`
		}
		err := a.do(ctx, call{doing: "verify", method: http.MethodGet, resource: need.entity + "/entityInformation", out: &got})
		switch e, _ := errors.AsType[*psa.Error](err); {
		case psa.Is(err, psa.ReasonPermission), psa.Is(err, psa.ReasonNotFound) && right.Optional:
			right.State, right.Detail = psa.RightMissing, e.Message
		case err != nil:
			return nil, err
		default:
			for _, verb := range need.verbs {
				if state := got.Info.may(verb); state == psa.RightMissing || right.State == psa.RightGranted {
					right.State = state
				}
			}
			if right.State == psa.RightUnknown {
				right.Detail = "Autotask says that it is restricted: what to shows with use only."
			}
		}
		if need.entity == "Companies" && right.State != psa.RightMissing {
			if right, err = a.verifyCompanies(ctx, right); err != nil {
				return nil, err
			}
		}
		rights = append(rights, right)
	}
	return rights, nil
}

// verifyCompanies asks for the MSP's own company, which every database has: for
// lack of a right, or in another zone, lists are empty and no error is given.
func (a *Adapter) verifyCompanies(ctx context.Context, right psa.Right) (psa.Right, error) {
	own, err := queried[company](ctx, a, "verify", "Companies", query{MaxRecords: 1, Fields: []string{"id"}, Filter: []filter{eq("id", 0)}})
	if err == nil && len(own) == 0 {
		right.State, right.Detail = psa.RightMissing, "Autotask shows not even your own company: the security level is too narrow, or the zone is another's"
	}
	return right, err
}
