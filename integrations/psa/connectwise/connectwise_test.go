package connectwise_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/integrations/psa/psatest"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
)

func fields(url string) map[string]string {
	return map[string]string{
		"site": url, "companyId": simulated.DemoCompanyID, "publicKey": simulated.DemoPublicKey,
		"privateKey": simulated.DemoPrivateKey, "clientId": simulated.DemoClientID,
	}
}

func open(t *testing.T, fields map[string]string) *connectwise.Adapter {
	t.Helper()
	a, err := connectwise.New(fields, &http.Client{}, time.Now)
	require.NoError(t, err)
	return a
}

func instance(t *testing.T) (*simulated.Server, *connectwise.Adapter) {
	t.Helper()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.SetAddress(server.URL)
	return s, open(t, fields(server.URL))
}

var versioned = regexp.MustCompile(`^/[^/]+/apis/3\.0(/.*)`)

// contract holds calls and answers against the vendor's OpenAPI document.
func contract(t *testing.T) http.RoundTripper {
	t.Helper()
	document := psatest.Document(t, "connectwise.json")
	if document == nil {
		return http.DefaultTransport
	}
	return psatest.Contract(t, document, false, http.DefaultTransport, func(path string) (string, bool) {
		found := versioned.FindStringSubmatch(path)
		// Of custom fields the document has nothing.
		if found == nil || strings.HasPrefix(found[1], "/system/userDefinedFields") {
			return "", false
		}
		return found[1], true
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
	s.SetAddress(server.URL)
	number := func(id string) int {
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		return n
	}
	psatest.Run(t, psatest.Subject{
		Vendor: connectwise.Vendor, Now: time.Now, URL: server.URL, Fields: fields, Contract: contract(t),
		CompanyID: "77", CompanyName: "Wingtip", Many: 1001,
		Count: func(reference string) (n int) {
			for _, x := range s.Tickets() {
				if x.Reference == reference {
					n++
				}
			}
			return n
		},
		Deny: func() func() {
			s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"service/boards"} })
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

func TestEnteredFields(t *testing.T) {
	t.Parallel()
	for field, wrong := range map[string]string{
		"site": "http://na.myconnectwise.net", "companyId": "a b", "publicKey": "a:b", "clientId": "cairn",
	} {
		entered := fields("na.myconnectwise.net")
		entered[field] = wrong
		_, err := connectwise.New(entered, &http.Client{}, time.Now)
		require.Equal(t, field, reason(t, err).Field)
	}
}

func TestUnknownCompanyID(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(simulated.New(simulated.Config{}))
	defer s.Close()
	entered := fields(s.URL)
	entered["companyId"] = "nobody"
	_, err := open(t, entered).Verify(t.Context())
	e := reason(t, err)
	require.Equal(t, "companyId", e.Field)
	require.Contains(t, e.Message, "region")
}

func TestPrivateClientID(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.PrivateClientID = true })
	_, err := a.Verify(t.Context())
	e := reason(t, err)
	require.Equal(t, psa.ReasonCredentials, e.Reason)
	require.Contains(t, e.Message, "clientId")
}

// Some instances refuse good keys at system/info alone: that proves nothing.
func TestRefusalThatProvesNothing(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.SetFaults(simulator.Fault{Resource: "system/info", Status: http.StatusUnauthorized, Times: 1})
	_, err := a.Verify(t.Context())
	require.NoError(t, err)
}

// A clientId that is missing, or a wrong host, is answered in words or HTML.
func TestAnswersThatAreNoJSON(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.SetFaults(simulator.Fault{Resource: "service/boards", Status: http.StatusBadRequest, HTML: true})
	_, err := a.Choices(t.Context(), psa.SettingBoard, "")
	e := reason(t, err)
	require.Equal(t, psa.ReasonInvalid, e.Reason)
	require.Contains(t, e.Message, "cloudflare")
}

func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"service/boards", "system/callbacks"} })
	rights, err := a.Verify(t.Context())
	require.NoError(t, err)
	var missing []string
	for _, r := range rights {
		if r.State == psa.RightMissing {
			missing = append(missing, r.Name)
			require.Contains(t, r.Grant, "Security Roles")
		}
	}
	require.Len(t, missing, 2)
}

func TestUpgradeMovesTheCodeBase(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	_, err := a.Choices(t.Context(), psa.SettingBoard, "")
	require.NoError(t, err)
	s.Upgrade("v2026_1/")
	_, err = a.Choices(t.Context(), psa.SettingBoard, "")
	require.NoError(t, err)
}

func TestZonelessInstances(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.ZonelessDates = true })
	made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
	require.NoError(t, err)
	for range 2 {
		all, err := a.ChangedTickets(t.Context(), "1", made.ChangedAt)
		require.NoError(t, err)
		require.Len(t, all, 1)
	}
}

// What a person set up wrongly is refused in words that name the field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		behave  func(*simulated.Server)
		change  func(*psa.NewTicket)
		field   string
		message string
	}{
		"no default team":    {change: func(n *psa.NewTicket) { n.Settings[psa.SettingBoard] = "3" }, field: "team", message: "default team"},
		"deleted board":      {behave: func(s *simulated.Server) { s.RemoveBoard(2) }, field: "board", message: "not found"},
		"another's status":   {change: func(n *psa.NewTicket) { n.Settings[psa.SettingStatus] = "101" }, field: "status", message: "not a status of board"},
		"mandatory field":    {behave: func(s *simulated.Server) { s.Behave(func(b *simulated.Behaviour) { b.RequiredCustomField = 7 }) }, field: "customFields", message: "required"},
		"inactive company":   {behave: func(s *simulated.Server) { s.SetCompanyActive(2, false) }, field: "company", message: "inactive"},
		"unknown company":    {change: func(n *psa.NewTicket) { n.CompanyID = "4711" }, field: "company", message: "not found"},
		"a company of words": {change: func(n *psa.NewTicket) { n.CompanyID = "x" }, field: "company", message: "no id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := instance(t)
			in := psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "2"}}
			if c.behave != nil {
				c.behave(s)
			}
			if c.change != nil {
				c.change(&in)
			}
			_, err := a.CreateTicket(t.Context(), in)
			e := reason(t, err)
			require.Equal(t, psa.ReasonInvalid, e.Reason)
			require.Equal(t, c.field, e.Field)
			require.Contains(t, e.Message, c.message)
			require.False(t, e.Retryable)
			require.False(t, e.MaybeDone)
			require.Empty(t, s.Tickets())
		})
	}
}

func TestInactiveCompanyShows(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.SetCompanyActive(2, false)
	c, err := a.Company(t.Context(), "2")
	require.NoError(t, err)
	require.False(t, c.Active)
}

func TestMergedTicketNamesItsParent(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	make1 := func() psa.Ticket {
		made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
		require.NoError(t, err)
		return made
	}
	child, parent := make1(), make1()
	ids := s.Tickets()
	require.NoError(t, s.Merge(ids[0].ID, ids[1].ID, "technician"))
	there, err := a.ReadTickets(t.Context(), []string{child.ID})
	require.NoError(t, err)
	require.Equal(t, parent.ID, there[0].MergedIn)
}

// Older versions take small pages, have no list of notes with working time, and
// single endpoints know no version.
func TestOlderVersions(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.SmallPages, b.NoAllNotes, b.NoVersions = true, true, true })
	for i := range 150 {
		s.AddCompany(1000+i, fmt.Sprintf("Customer %d", i), "")
	}
	made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
	require.NoError(t, err)
	for range 120 {
		_, err := a.AddNote(t.Context(), made.ID, psa.NewNote{Text: "x", Internal: true})
		require.NoError(t, err)
	}
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Work(id, "an hour's work", simulator.Technician))
	all, err := a.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	require.Len(t, all, 122)
	require.True(t, all[len(all)-1].WorkTime)
	_, err = a.Choices(t.Context(), psa.SettingTeam, "1")
	require.NoError(t, err)
}

func TestMandatoryCustomField(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	in := psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}}
	_, err := a.CreateTicket(t.Context(), in)
	require.NoError(t, err)
	s.Behave(func(b *simulated.Behaviour) { b.RequiredCustomField = 7 })
	mandatory, err := a.MandatoryFields(t.Context(), in.Settings)
	require.NoError(t, err)
	require.Len(t, mandatory, 1, "those of companies are not a ticket's")
	require.Equal(t, psa.KindChoice, mandatory[0].Kind)
	offered, err := a.Choices(t.Context(), mandatory[0].Setting, "")
	require.NoError(t, err)
	in.Settings[mandatory[0].Setting] = offered[1].ID
	_, err = a.CreateTicket(t.Context(), in)
	require.NoError(t, err)
}

func TestWhoWroteWhat(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
	require.NoError(t, err)
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Reply(id, "I did not do that", "Erin"))
	require.NoError(t, s.Note(id, "moved", "workflow"))
	all, err := a.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	kinds := map[string]psa.AuthorKind{}
	for _, n := range all {
		kinds[n.Text] = n.By.Kind
	}
	require.Equal(t, map[string]psa.AuthorKind{"x": psa.AuthorOurs, "I did not do that": psa.AuthorContact, "moved": psa.AuthorSystem}, kinds)
	s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"system/info/members"} })
	all, err = open(t, fields(s.Address())).Notes(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, psa.AuthorUnknown, all[0].By.Kind, "without the right to read members nobody can tell")
}
