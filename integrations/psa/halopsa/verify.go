package halopsa

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// Where rights are given: both the application's permissions and those of its
// agent bound what it may do.
const (
	permissions = "In HaloPSA: Configuration, Integrations, HaloPSA API, View Applications, the application, Permissions: "
	agent       = "In HaloPSA: Configuration, Teams & Agents, the application's agent, Permissions: "
)

// needs are what Cairn asks the API for, and the right each takes. Some of a
// list that is empty can't be told from none.
var needs = []struct {
	resource string
	query    url.Values
	right    psa.Right
	some     bool // an instance has some: an empty list is a missing right
}{
	{"Tickets", url.Values{"pageinate": {"true"}, "page_size": {"1"}, "page_no": {"1"}}, psa.Right{
		Name: "Read tickets", Grant: permissions + "read:tickets; and " + agent + "all ticket types, unassigned and others' tickets",
	}, false},
	{"Client", url.Values{"pageinate": {"true"}, "page_size": {"1"}, "page_no": {"1"}}, psa.Right{
		Name: "Read clients", Grant: permissions + "read:customers; and " + agent + "all clients",
	}, true},
	{"TicketType", nil, psa.Right{Name: "Read ticket types", Grant: permissions + "read:tickets; and " + agent + "all ticket types"}, true},
	{"Status", nil, psa.Right{Name: "Read statuses", Grant: permissions + "read:tickets"}, true},
	{"Outcome", nil, psa.Right{Name: "Read outcomes", Grant: permissions + "read:tickets"}, true},
	{"Team", nil, psa.Right{Name: "Read teams", Grant: permissions + "read:tickets; and " + agent + "member of the team that tickets go to"}, true},
	{"Agent", nil, psa.Right{Name: "Read agents", Grant: permissions + "read:tickets", Optional: true}, true},
	{"Webhook", nil, psa.Right{Name: "Register webhooks, so that changes show at once", Grant: permissions + "admin:webhooks", Optional: true}, false},
}

// Verify asks who we are and for a list of everything Cairn needs. Rights to
// write show on writing only.
func (a *Adapter) Verify(ctx context.Context) ([]psa.Right, error) {
	if _, err := a.askOurselves(ctx); err != nil {
		return nil, err
	}
	var rights []psa.Right
	for _, need := range needs {
		right := need.right
		var got json.RawMessage
		err := a.do(ctx, call{doing: "verify", method: http.MethodGet, resource: need.resource, query: need.query, out: &got})
		switch e, _ := errors.AsType[*psa.Error](err); {
		case err == nil && need.some && empty(got):
			right.State, right.Detail = psa.RightMissing, "HaloPSA shows none"
		case err == nil:
			right.State = psa.RightGranted
		case psa.Is(err, psa.ReasonPermission), psa.Is(err, psa.ReasonCredentials): // it answers 401 to both
			right.State, right.Detail = psa.RightMissing, e.Message
		default:
			return nil, err
		}
		rights = append(rights, right)
	}
	return append(rights, psa.Right{
		Name: "Add and edit tickets and notes", State: psa.RightUnknown, Detail: "HaloPSA tells with the first ticket only: send a test ticket.",
		Grant: permissions + "edit:tickets; and " + agent + "add tickets, edit closed tickets, run the chosen outcomes",
	}), nil
}

// empty says whether an answer is a list without rows, with a wrapper or bare.
func empty(raw json.RawMessage) bool {
	var bare []json.RawMessage
	if json.Unmarshal(raw, &bare) == nil {
		return len(bare) == 0
	}
	var wrapped list[json.RawMessage]
	return json.Unmarshal(raw, &wrapped) == nil && len(wrapped.rows()) == 0
}
