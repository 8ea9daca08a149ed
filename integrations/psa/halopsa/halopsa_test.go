package halopsa_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/halopsa"
	"github.com/cairn-itdr/cairn/integrations/psa/psatest"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
)

func fields(url string) map[string]string {
	return map[string]string{"site": url, "clientId": simulated.DemoClientID, "clientSecret": simulated.DemoClientSecret}
}

func open(t *testing.T, fields map[string]string, now func() time.Time) *halopsa.Adapter {
	t.Helper()
	a, err := halopsa.New(fields, &http.Client{}, now)
	require.NoError(t, err)
	return a
}

func instance(t *testing.T) (*simulated.Server, *halopsa.Adapter) {
	t.Helper()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, open(t, fields(server.URL), time.Now)
}

// contract holds calls and answers against what real clients do, and the names
// of parameters against the vendor's document where that is at hand.
func contract(t *testing.T) http.RoundTripper {
	t.Helper()
	below := func(skip ...string) func(string) (string, bool) {
		return func(path string) (string, bool) {
			rest, ok := strings.CutPrefix(path, "/api")
			for _, s := range skip {
				ok = ok && !strings.HasPrefix(rest, s)
			}
			return rest, ok
		}
	}
	next := http.DefaultTransport
	if document := psatest.Document(t, "halo.json"); document != nil {
		next = psatest.Contract(t, document, true, next, below("/authinfo", "/Workflow"))
	}
	document, err := os.ReadFile("testdata/contract.yaml")
	require.NoError(t, err)
	return psatest.Contract(t, document, false, next, below())
}

const contoso = "11111111-2222-4333-8444-555555555555"

func TestConforms(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	s.AddClient(77, "Wingtip Toys", "https://www.wingtip.example", contoso)
	for i := range 150 {
		s.AddClient(1000+i, fmt.Sprintf("Customer %d", i), "", "")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	number := func(id string) int {
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		return n
	}
	psatest.Run(t, psatest.Subject{
		Vendor: halopsa.Vendor, Now: time.Now, URL: server.URL, Fields: fields, Contract: contract(t),
		CompanyID: "77", CompanyName: "Wingtip", MicrosoftTenant: contoso, Many: 200,
		Count: func(reference string) (n int) {
			for _, x := range s.Tickets() {
				if x.Reference == reference {
					n++
				}
			}
			return n
		},
		Writes: func(r *http.Request) bool { return r.Method != http.MethodGet && r.URL.Path != "/auth/token" },
		Deny: func() func() {
			s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"team"} })
			return func() { s.Behave(func(b *simulated.Behaviour) { b.Denied = nil }) }
		},
		Person: psatest.Person{
			Close:  func(id string) error { return s.Close(number(id), simulator.Technician) },
			Note:   func(id, text string) error { return s.Note(number(id), text, simulator.Technician) },
			Work:   func(id, text string) error { return s.Work(number(id), text, simulator.Technician) },
			Merge:  func(child, parent string) error { return s.Merge(number(child), number(parent), simulator.Technician) },
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
	return psa.NewTicket{
		Reference: reference, Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingType: "1"},
	}
}

func create(t *testing.T, a psa.Adapter, in psa.NewTicket) psa.Ticket {
	t.Helper()
	made, err := a.CreateTicket(t.Context(), in)
	require.NoError(t, err)
	return made
}
