package autotask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/autotask"
	"github.com/cairn-itdr/cairn/integrations/psa/psatest"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
)

func fields(url string) map[string]string {
	return map[string]string{
		"userName": simulated.DemoUserName, "secret": simulated.DemoSecret, "integrationCode": simulated.DemoIntegrationCode, "site": url,
	}
}

func open(t *testing.T, fields map[string]string, client *http.Client) *autotask.Adapter {
	t.Helper()
	a, err := autotask.New(fields, client, time.Now)
	require.NoError(t, err)
	return a
}

func instance(t *testing.T) (*simulated.Server, *autotask.Adapter) {
	t.Helper()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, open(t, fields(server.URL), &http.Client{})
}

// contract holds calls and answers against the vendor's OpenAPI document.
func contract(t *testing.T) http.RoundTripper {
	t.Helper()
	document := psatest.Document(t, "autotask.json")
	if document == nil {
		return http.DefaultTransport
	}
	return psatest.Contract(t, document, false, http.DefaultTransport, func(path string) (string, bool) {
		rest, ok := strings.CutPrefix(path, "/ATServicesRest")
		// Of these the document has nothing.
		for _, missing := range []string{"/query/next", "/BillingCodes", "/TicketWebhookFields"} {
			ok = ok && !strings.Contains(rest, missing)
		}
		return rest, ok
	})
}

func TestConforms(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	s.AddCompany(77, "Wingtip Toys", "https://www.wingtip.example")
	for i := range 150 {
		s.AddCompany(1000+i, fmt.Sprintf("Customer %d", i), "")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	number := func(id string) int {
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		return n
	}
	psatest.Run(t, psatest.Subject{
		Vendor: autotask.Vendor, Now: time.Now, URL: server.URL, Fields: fields, Contract: contract(t),
		CompanyID: "77", CompanyName: "Wingtip", Many: 501,
		Count: func(reference string) (n int) {
			for _, x := range s.Tickets() {
				if x.Reference == reference {
					n++
				}
			}
			return n
		},
		Writes: func(r *http.Request) bool {
			return r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/query")
		},
		Deny: func() func() {
			s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"Companies"} })
			return func() { s.Behave(func(b *simulated.Behaviour) { b.Denied = nil }) }
		},
		Person: psatest.Person{
			Close:  func(id string) error { return s.Close(number(id), simulator.Technician) },
			Note:   func(id, text string) error { return s.Note(number(id), text, simulator.Technician) },
			Work:   func(id, text string) error { return s.Work(number(id), text, simulator.Technician) },
			Delete: func(id string) error { return s.Delete(number(id), simulator.Technician) },
		},
		Deliver: s.Deliver, Receivers: s.Callbacks,
	})
}

func reason(t *testing.T, err error) *psa.Error {
	t.Helper()
	var e *psa.Error
	require.ErrorAs(t, err, &e)
	return e
}

func newTicket(reference string) psa.NewTicket {
	return psa.NewTicket{Reference: reference, Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{
		psa.SettingBoard: "29", psa.SettingStatus: "1", psa.SettingPriority: "1",
	}}
}

func create(t *testing.T, a psa.Adapter, in psa.NewTicket) psa.Ticket {
	t.Helper()
	made, err := a.CreateTicket(t.Context(), in)
	require.NoError(t, err)
	return made
}
