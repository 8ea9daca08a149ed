package connectwise_test

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
)

// Working time does not touch its ticket, which has changed all the same.
func TestWorkIsAChange(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := simulator.NewClock(start, 0, time.Now)
	s := simulated.New(simulated.Config{Now: clock.Now})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL))
	made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
	require.NoError(t, err)
	changed := func(board string) []psa.Ticket {
		all, err := a.ChangedTickets(t.Context(), board, start.Add(30*time.Minute))
		require.NoError(t, err)
		return all
	}
	require.Empty(t, changed("1"))
	clock.Advance(time.Hour)
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Work(id, "an hour's work", simulator.Technician))
	require.Len(t, changed("1"), 1)
	require.Equal(t, start.Add(time.Hour), changed("")[0].ChangedAt)
	require.Empty(t, changed("2"))
	s.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"time/entries"} })
	require.Empty(t, changed("1"), "without the right it is not seen, and the rest is")
}
