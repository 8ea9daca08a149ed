package halopsa_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
)

// What a person set up wrongly is refused in words that name the field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		behave func(*simulated.Server)
		change func(*psa.NewTicket)
		field  string
	}{
		"no such ticket type": {change: func(n *psa.NewTicket) { n.Settings[psa.SettingType] = "99" }, field: "tickettype_id"},
		"a status the type has not": {change: func(n *psa.NewTicket) {
			n.Settings[psa.SettingType], n.Settings[psa.SettingStatus] = "21", "4"
		}, field: "status_id"},
		"a team switched off": {change: func(n *psa.NewTicket) { n.Settings[psa.SettingBoard] = "Disbanded" }, field: "team"},
		"a required field":    {behave: func(s *simulated.Server) { s.Behave(func(b *simulated.Behaviour) { b.RequiredField = 101 }) }, field: "Impacted site"},
		"an inactive client":  {behave: func(s *simulated.Server) { s.SetClientActive(2, false) }, field: "client_id"},
		"no such client":      {change: func(n *psa.NewTicket) { n.CompanyID = "4711" }, field: "client_id"},
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
			require.Equal(t, c.field, e.Field, e.Message)
			require.False(t, e.Retryable)
			require.False(t, e.MaybeDone)
			require.Empty(t, s.Tickets())
		})
	}
}

func TestRequiredFieldIsFound(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.RequiredField = 101 })
	in := newTicket("r-1")
	mandatory, err := a.MandatoryFields(t.Context(), in.Settings)
	require.NoError(t, err)
	require.Len(t, mandatory, 1)
	require.Equal(t, "Impacted site", mandatory[0].Label)
	in.Settings[mandatory[0].Setting] = "Head office"
	create(t, a, in)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	made := create(t, a, newTicket("r-1"))
	offered, err := a.Choices(t.Context(), psa.SettingOutcome, "1")
	require.NoError(t, err)
	require.Equal(t, []psa.Choice{
		{ID: "7", Name: "Internal Note", Shown: psa.VisibleInternal},
		{ID: "3", Name: "Email User", Shown: psa.VisiblePublic},
		{ID: "16", Name: "Public Note", Shown: psa.VisiblePublic},
	}, offered, "those of the workflow alone")
	for outcome, words := range map[string]string{"": "outcome", "40": "access to this Action", "99": "Outcome"} {
		_, err := a.AddNote(t.Context(), made.ID, psa.NewNote{Text: "x", Settings: map[psa.Setting]string{psa.SettingOutcome: outcome}})
		e := reason(t, err)
		require.Equal(t, psa.ReasonInvalid, e.Reason)
		require.NotEmpty(t, e.Field)
		require.Contains(t, e.Message, words)
		require.False(t, e.Retryable)
	}
}

func TestTypesWithoutSLAHaveNoPriorities(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	none, err := a.Choices(t.Context(), psa.SettingPriority, "21")
	require.NoError(t, err)
	require.Empty(t, none)
	four, err := a.Choices(t.Context(), psa.SettingPriority, "1")
	require.NoError(t, err)
	require.Len(t, four, 4, "another SLA's are not among them")
}

func TestTicketIsFoundWithoutItsLink(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.NoLinks = true })
	made := create(t, a, newTicket("r-1"))
	found, err := a.FindTickets(t.Context(), "r-1")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, made.ID, found[0].ID)
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.Stale = true })
	made := create(t, a, newTicket("r-1"))
	for _, title := range []string{"one", "two"} {
		_, err := a.UpdateTicket(t.Context(), made.ID, psa.Change{Title: title})
		require.NoError(t, err)
		now, err := a.ReadTicket(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, title, now.Title)
	}
}

// An adapter makes one ticket at a time.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.Racing = true })
	var together sync.WaitGroup
	for i := range 20 {
		together.Go(func() {
			in := newTicket(string(rune('a'+i)) + "-reference")
			made, err := a.CreateTicket(t.Context(), in)
			if err != nil {
				t.Error("one adapter makes one at a time: ", err)
				return
			}
			if made.Reference != in.Reference {
				t.Error("another's ticket")
			}
		})
	}
	together.Wait()
	require.Len(t, s.Tickets(), 20)
}

// Two processes may make tickets at once; one of them may be answered with the
// other's ticket, and must not take it for its own.
func TestRacingForANumber(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.Behave(func(b *simulated.Behaviour) { b.Racing = true })
	create(t, open(t, fields(server.URL), time.Now), newTicket("first"))
	var together sync.WaitGroup
	for process := range 4 {
		a := open(t, fields(server.URL), time.Now)
		together.Go(func() {
			for i := range 25 {
				in := newTicket(fmt.Sprintf("%d-%d", process, i))
				made, err := a.CreateTicket(t.Context(), in)
				e, unclear := errors.AsType[*psa.Error](err)
				switch {
				case err == nil && made.Reference != in.Reference:
					t.Error("another's ticket")
				case err != nil && (!unclear || !e.MaybeDone):
					t.Error("it is not clear what was done: ", err)
				}
			}
		})
	}
	together.Wait()
}

func TestFilterThatIsNotHeard(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	one := create(t, a, newTicket("r-1"))
	create(t, a, newTicket("r-2"))
	s.Behave(func(b *simulated.Behaviour) { b.IgnoresTicketIDs = true })
	_, err := a.ReadTickets(t.Context(), []string{one.ID})
	require.Equal(t, psa.ReasonProtocol, reason(t, err).Reason)
}

func TestAbsenceIsNotTakenForGranted(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	_, err := a.ReadTicket(t.Context(), "4711")
	require.Equal(t, psa.ReasonNotFound, reason(t, err).Reason)
	s.Behave(func(b *simulated.Behaviour) { b.AbsentEmpty = true })
	_, err = a.ReadTicket(t.Context(), "4711")
	require.Equal(t, psa.ReasonPermission, reason(t, err).Reason)
}

func TestListsEmptyForLackOfARight(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.Denied, b.DeniedEmpty = []string{"client", "team"}, true })
	rights, err := a.Verify(t.Context())
	require.NoError(t, err)
	var missing []string
	for _, r := range rights {
		if r.State == psa.RightMissing {
			missing = append(missing, r.Name)
		}
	}
	require.Equal(t, []string{"Read clients", "Read teams"}, missing)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.RateLimit = 3 })
	var err error
	for range 4 {
		_, err = a.Choices(t.Context(), psa.SettingType, "")
	}
	e := reason(t, err)
	require.Equal(t, psa.ReasonThrottled, e.Reason)
	require.Contains(t, e.Message, "3 Requests per rolling 5 minute window")
}

func TestChangesBeyondAPage(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	for i := range 230 {
		create(t, a, newTicket("r-"+string(rune('A'+i))))
	}
	all, err := a.ChangedTickets(t.Context(), "", time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 230)
	none, err := a.ChangedTickets(t.Context(), "Security", time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Empty(t, none)
}
