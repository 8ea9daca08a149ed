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

// Working time does not touch its ticket, which has changed all the same.
func TestWorkIsAChange(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := simulator.NewClock(start, 0, time.Now)
	s := simulated.New(simulated.Config{Now: clock.Now})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL), &http.Client{})
	made := create(t, a, newTicket("r-1"))
	changed := func(queue string) []psa.Ticket {
		all, err := a.ChangedTickets(t.Context(), queue, start.Add(30*time.Minute))
		require.NoError(t, err)
		return all
	}
	require.Empty(t, changed("29"))
	clock.Advance(time.Hour)
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Work(id, "an hour's work", simulator.Technician))
	require.Len(t, changed("29"), 1)
	require.Equal(t, start.Add(time.Hour), changed("")[0].ChangedAt)
	require.Empty(t, changed("8"))
}
