package connectwise

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// role is where the rights of the key are given.
const role = "In ConnectWise: System, Security Roles, the role of the API member, "

// needs are what Cairn asks the API for, and the right each takes.
var needs = []struct {
	resource string
	right    psa.Right
}{
	{"service/boards", psa.Right{Name: "Read service boards, statuses and types", Grant: role +
		"Service Desk, Service Tickets: Inquire All; and System, Table Setup: Inquire All, at least for Service Board, Priority and Source"}},
	{"service/tickets", psa.Right{Name: "Read service tickets", Grant: role + "Service Desk, Service Tickets: Inquire All"}},
	{"company/companies", psa.Right{Name: "Read companies", Grant: role + "Companies, Company Maintenance: Inquire All"}},
	{"company/companies/statuses", psa.Right{Name: "Read company statuses, to tell which companies take tickets", Grant: role +
		"System, Table Setup: Inquire All, at least for Company Status"}},
	{"system/callbacks", psa.Right{Name: "Register callbacks, so that changes show at once", Grant: role +
		"System, Table Setup: Add All, Edit All, Delete All, Inquire All", Optional: true}},
	{"time/entries", psa.Right{Name: "Read time entries, where technicians answer", Grant: role +
		"Time & Expense, Time Entry: Inquire All", Optional: true}},
	{"system/info/members", psa.Right{Name: "Read members, to tell staff from contacts and rules", Grant: role +
		"System, Member Maintenance: Inquire All", Optional: true}},
	{"system/userDefinedFields", psa.Right{Name: "Read which custom fields are required", Grant: role +
		"System, Custom Fields: Inquire All", Optional: true}},
}

// Verify asks for one record of everything Cairn needs: the API has no other
// way to tell rights, and tells those to write on writing only.
func (a *Adapter) Verify(ctx context.Context) ([]psa.Right, error) {
	err := a.do(ctx, call{doing: "verify", method: http.MethodGet, resource: "system/info"})
	if psa.Is(err, psa.ReasonCredentials) {
		// Some instances refuse good keys here and take them elsewhere.
		elsewhere := a.do(ctx, call{doing: "verify", method: http.MethodGet, resource: "service/boards", query: one})
		if psa.Is(elsewhere, psa.ReasonCredentials) {
			return nil, err
		}
		err = nil
	}
	if err != nil && !psa.Is(err, psa.ReasonPermission) {
		return nil, err
	}
	var rights []psa.Right
	for _, need := range needs {
		right := need.right
		err := a.do(ctx, call{doing: "verify", method: http.MethodGet, resource: need.resource, query: one, out: &[]struct{}{}})
		switch e, _ := errors.AsType[*psa.Error](err); {
		case err == nil:
			right.State = psa.RightGranted
		case psa.Is(err, psa.ReasonPermission):
			right.State, right.Detail = psa.RightMissing, e.Message
		case psa.Is(err, psa.ReasonNotFound) && right.Optional: // an older version has no such list
			right.State, right.Detail = psa.RightUnknown, e.Message
		default:
			return nil, err
		}
		rights = append(rights, right)
	}
	return append(rights, psa.Right{
		Name: "Add and edit service tickets and notes", State: psa.RightUnknown, Detail: "ConnectWise tells with the first ticket only: send a test ticket.",
		Grant: role + "Service Desk, Service Tickets: Add All, Edit All; and Close Service Tickets: Edit All, Inquire All",
	}), nil
}

// one asks for no more than a record.
var one = url.Values{"pageSize": {"1"}, "fields": {"id"}}
