package autotask_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
)

// What a person set up wrongly is answered with 500, is final all the same, and
// names the field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	set := func(s psa.Setting, v string) func(*psa.NewTicket) {
		return func(n *psa.NewTicket) { n.Settings[s] = v }
	}
	for name, c := range map[string]struct {
		behave func(*simulated.Server)
		change func(*psa.NewTicket)
		field  string
	}{
		"a queue switched off":  {change: set(psa.SettingBoard, "30"), field: "queueID"},
		"no queue":              {change: func(n *psa.NewTicket) { delete(n.Settings, psa.SettingBoard) }, field: "queueID"},
		"no such status":        {change: set(psa.SettingStatus, "99"), field: "status"},
		"another's sub-type":    {change: func(n *psa.NewTicket) { n.Settings[psa.SettingType], n.Settings[psa.SettingSubType] = "10", "111" }, field: "subIssueType"},
		"no such company":       {change: func(n *psa.NewTicket) { n.CompanyID = "4711" }, field: "companyID"},
		"an inactive company":   {behave: func(s *simulated.Server) { s.SetCompanyActive(2, false) }, field: "companyID"},
		"a user-defined field":  {behave: func(s *simulated.Server) { s.Behave(func(b *simulated.Behaviour) { b.RequiredUDF = "Impacted Site" }) }, field: "Impacted Site"},
		"a field of the ticket": {behave: func(s *simulated.Server) { s.Behave(func(b *simulated.Behaviour) { b.RequiredField = "issueType" }) }, field: "issueType"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := instance(t)
			in := newTicket("r-1")
			if c.behave != nil {
				c.behave(s)
			}
			if c.change != nil {
				c.change(&in)
			}
			_, err := a.CreateTicket(t.Context(), in)
			e := reason(t, err)
			require.Equal(t, psa.ReasonInvalid, e.Reason)
			require.Equal(t, http.StatusInternalServerError, e.Status)
			require.Equal(t, c.field, e.Field, e.Message)
			require.False(t, e.Retryable)
			require.False(t, e.MaybeDone)
			require.Empty(t, s.Tickets())
		})
	}
}

func TestRequiredFieldsAreFound(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.RequiredUDF, b.RequiredField = "Impacted Site", "issueType" })
	in := newTicket("r-1")
	mandatory, err := a.MandatoryFields(t.Context(), in.Settings)
	require.NoError(t, err)
	require.Len(t, mandatory, 2)
	require.Equal(t, psa.SettingType, mandatory[0].Setting)
	in.Settings[mandatory[0].Setting], in.Settings[mandatory[1].Setting] = "10", "Head office"
	in.Settings[psa.SettingDueInHours] = "24"
	create(t, a, in)
}

// The MSP's own company has the number 0, which is no absence of one.
func TestOwnCompany(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	in := newTicket("r-1")
	in.CompanyID = "0"
	require.Equal(t, "0", create(t, a, in).CompanyID)
}

func TestWhoReadsNotes(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	made := create(t, a, newTicket("r-1"))
	add := func(internal bool, publish string) error {
		n := psa.NewNote{Text: "x", Internal: internal, Settings: map[psa.Setting]string{}}
		if publish != "" {
			n.Settings[psa.SettingOutcome] = publish
		}
		_, err := a.AddNote(t.Context(), made.ID, n)
		return err
	}
	require.NoError(t, add(true, ""), "one choice says internal")
	require.NoError(t, add(true, "2"))
	require.NoError(t, add(false, "1"))
	for _, wrong := range []error{add(true, "1"), add(false, "2"), add(true, "99")} {
		require.Equal(t, string(psa.SettingOutcome), reason(t, wrong).Field)
	}
	all, err := a.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false}, []bool{all[0].Internal, all[1].Internal, all[2].Internal})

	unclear, a := instance(t)
	unclear.Behave(func(b *simulated.Behaviour) { b.UnclearPublish = true })
	made = create(t, a, newTicket("r-1"))
	require.Equal(t, psa.ReasonInvalid, reason(t, add(true, "")).Reason, "nobody can tell: a person must choose")
	require.NoError(t, add(true, "2"), "a person has chosen")
}

func TestWhoWroteWhat(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	made := create(t, a, newTicket("r-1"))
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Note(id, "a person", simulator.Technician))
	require.NoError(t, s.Rule(id, "a rule"))
	require.NoError(t, s.Reply(id, "a contact"))
	_, err = a.AddNote(t.Context(), made.ID, psa.NewNote{Text: "we", Internal: true})
	require.NoError(t, err)
	all, err := a.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	kinds := map[string]psa.AuthorKind{}
	for _, n := range all {
		kinds[n.Text] = n.By.Kind
	}
	require.Equal(t, map[string]psa.AuthorKind{
		"a person": psa.AuthorStaff, "a rule": psa.AuthorSystem, "a contact": psa.AuthorContact, "we": psa.AuthorOurs,
	}, kinds)
}

// API users are not always among the resources: who we are is learned from what
// we write.
func TestWhoWeAreIsLearned(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.APIUserHidden = true })
	made := create(t, a, newTicket("r-1"))
	now, err := a.ReadTicket(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, psa.AuthorOurs, now.ChangedBy.Kind)
}

func TestAbsence(t *testing.T) {
	t.Parallel()
	for _, with404 := range []bool{false, true} {
		s, a := instance(t)
		s.Behave(func(b *simulated.Behaviour) { b.Absent404 = with404 })
		made := create(t, a, newTicket("r-1"))
		s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"Tickets"} })
		_, err := a.ReadTicket(t.Context(), made.ID)
		require.Equal(t, psa.ReasonPermission, reason(t, err).Reason, "hidden")
		none, err := a.ReadTickets(t.Context(), []string{made.ID})
		require.NoError(t, err)
		require.Empty(t, none, "a list does not tell")
		s.Behave(func(b *simulated.Behaviour) { b.Denied = nil })
		id, err := strconv.Atoi(made.ID)
		require.NoError(t, err)
		require.NoError(t, s.Delete(id, simulator.Technician))
		_, err = a.ReadTicket(t.Context(), made.ID)
		require.Equal(t, psa.ReasonNotFound, reason(t, err).Reason, "deleted")
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) {
		b.Denied, b.Restricted = []string{"TicketWebhooks", "Companies"}, []string{"TicketNotes"}
	})
	rights, err := a.Verify(t.Context())
	require.NoError(t, err)
	states := map[string]psa.RightState{}
	for _, r := range rights {
		states[r.Name] = r.State
	}
	require.Equal(t, psa.RightMissing, states["Read companies"])
	require.Equal(t, psa.RightMissing, states["Register webhooks, so that changes show at once"])
	require.Equal(t, psa.RightUnknown, states["Read and add notes"])
	require.Equal(t, psa.RightGranted, states["Add and edit tickets"])
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.Threshold = 1 })
	var err error
	for range 2 {
		_, err = a.Choices(t.Context(), psa.SettingStatus, "")
	}
	e := reason(t, err)
	require.Equal(t, psa.ReasonThrottled, e.Reason)
	require.True(t, e.Retryable)

	said := "Thread Threshold Exceeded - The Autotask API thread threshold of 3 threads has been exceeded."
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"errors":["` + said + `"]}`))
	}))
	t.Cleanup(full.Close)
	_, err = open(t, fields(full.URL), &http.Client{}).CreateTicket(t.Context(), newTicket("r-1"))
	e = reason(t, err)
	require.Equal(t, psa.ReasonThrottled, e.Reason)
	require.True(t, e.Retryable)
	require.False(t, e.MaybeDone)
}

// Errors in a success are errors.
func TestErrorsInASuccess(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/ATServicesRest/V1.0/Tickets" {
			_, _ = w.Write([]byte(`{"itemId":7,"errors":[{"message":"The title is not allowed."}]}`))
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	_, err := open(t, fields(server.URL), &http.Client{}).CreateTicket(t.Context(), newTicket("r-1"))
	e := reason(t, err)
	require.Equal(t, "title", e.Field)
	require.Contains(t, e.Message, "not allowed")
}

func TestChangesBeyondAPage(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	for i := range 510 {
		create(t, a, newTicket("r-"+strconv.Itoa(i)))
	}
	all, err := a.ChangedTickets(t.Context(), "29", time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 510)
}
