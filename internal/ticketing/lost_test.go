package ticketing_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/detect"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// lost are calls that are done and whose answer never comes.
func lost(method, resource string, times int) simulator.Fault {
	return simulator.Fault{Method: method, Resource: resource, Times: times, AfterCommit: true, Drop: true}
}

// refused are calls that are answered with a status and not done.
func refused(method, resource string, status, times int) simulator.Fault {
	return simulator.Fault{Method: method, Resource: resource, Times: times, Status: status}
}

const (
	ofTickets = "service/tickets"
	ofNotes   = "service/tickets/*/notes"
	ofTicket  = "service/tickets/*"
)

// Ensure what was done without an answer is done once: a ticket, a note, a
// change, however often in a row.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]simulator.Fault{
		"create":              {lost("POST", ofTickets, 1)},
		"create, three times": {lost("POST", ofTickets, 3)},
		"note":                {lost("POST", ofNotes, 1)},
		"note, three times":   {lost("POST", ofNotes, 3)},
		"change":              {lost("PATCH", ofTicket, 2)},
		"504 after commit":    {{Method: "POST", Times: 4, AfterCommit: true, Status: http.StatusGatewayTimeout, HTML: true}},
		"502 before commit":   {{Method: "POST", Times: 4, Status: http.StatusBadGateway, HTML: true}},
		"everything, at odds": {lost("POST", "", 2), lost("PATCH", "", 2), refused("GET", "", http.StatusServiceUnavailable, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(d *desk) {
				d.connect()
				d.drain()
				d.vendor.SetFaults(faults...)
				d.found("ann", "a")
				d.drain()
				d.found("ann", "b", func(f *detect.Finding) { f.Severity = detect.SeverityCritical })
				d.drain()
				d.wait()
				d.inStep()
				d.status("ann", entincident.StatusRemediated)
				d.wait()
				d.inStep()
				require.Len(d, d.vendor.Tickets(), 1)
				require.NotContains(d, d.annsKinds(), "CLOSED", "Cairn's own close is nobody else's")
			})
		})
	}
}

// Ensure a call that failed is not counted from its beginning: what the PSA does
// some seconds after the time-out is seen before another is tried.
func TestWaitingCountsFromTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.drain()
		d.vendor.SetFaults(refused("POST", ofTickets, http.StatusGatewayTimeout, 1))
		d.service.At(func(where string) {
			if where == "create called" { // the answer took longer than Settle
				d.mu.Lock()
				d.now = d.now.Add(25 * time.Second)
				d.mu.Unlock()
			}
		})
		d.found("ann", "a")
		d.drain()
		d.service.At(func(string) {})
		require.Empty(d, d.vendor.Tickets())
		d.pass(8 * time.Second) // after the end, before it shows
		require.Empty(d, d.vendor.Tickets(), "it may come yet")
		d.late("ann") // and it does
		d.wait()
		d.inStep()
		require.Len(d, d.vendor.Tickets(), 1)
	})
}

// late has the PSA do late what Cairn has stopped waiting for.
func (d *desk) late(account string) psa.Ticket {
	d.Helper()
	a, err := connectwise.New(d.fields(), &http.Client{}, d.clock)
	require.NoError(d, err)
	x, err := a.CreateTicket(context.Background(), psa.NewTicket{
		Reference: d.row(account).ID, Title: "[HIGH] Incident #1: late", CompanyID: "77", Settings: map[psa.Setting]string{psa.SettingBoard: board},
	})
	require.NoError(d, err)
	return x
}

// Ensure a ticket that the PSA makes after all, when there is another, is found
// and closed as a duplicate: also where the process was killed before it had
// planned to look, and where the ticket has failed meanwhile.
func TestLateDuplicate(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(d *desk){
		"nothing":           func(*desk) {},
		"killed when found": func(d *desk) { d.killAt("read", 3, func() { d.pass(15 * time.Second) }) },
		"killed when made":  func(d *desk) { d.killAt("create called", 1, func() { d.pass(15 * time.Second) }) },
		"the change failed": func(d *desk) {
			d.pass(15 * time.Second)
			d.vendor.SetFaults(refused("POST", ofNotes, http.StatusBadRequest, 0))
			d.found("ann", "b")
			d.drain()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(d *desk) {
				d.connect()
				d.drain()
				d.vendor.SetFaults(refused("POST", ofTickets, http.StatusGatewayTimeout, 1))
				d.found("ann", "a")
				d.drain()
				meanwhile(d)
				d.pass(time.Minute)
				require.Len(d, d.vendor.Tickets(), 1)
				d.late("ann")
				d.pass(3 * time.Minute)
				d.pass(3 * time.Minute)
				open := 0
				for _, x := range d.vendor.Tickets() {
					if !x.Closed {
						open++
						require.Equal(d, d.row("ann").ID, x.Reference)
					}
				}
				require.Equal(d, 1, open)
				require.Contains(d, d.annsKinds(), "DUPLICATE_CLOSED")
				d.vendor.SetFaults()
				_, err := d.service.Retry(d.ctx, d.row("ann").ID)
				require.NoError(d, err)
				d.wait()
				d.inStep()
			})
		})
	}
}

// Ensure a duplicate that comes when nobody looks any more is found by the poll.
func TestDuplicateSeenByPoll(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.drain()
		d.wait()
		x := d.late("ann")
		d.pass(2 * time.Minute)
		d.inStep()
		require.Contains(d, d.annsKinds(), "DUPLICATE_CLOSED")
		all := d.vendor.Tickets()
		require.Equal(d, x.ID, strconv.Itoa(all[len(all)-1].ID))
		require.True(d, all[len(all)-1].Closed)
	})
}

// Ensure a severity raised while the ticket was being looked for reaches the PSA.
func TestSeverityRaisedMeanwhile(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.drain()
		d.vendor.SetFaults(lost("POST", ofTickets, 1))
		d.found("ann", "a")
		d.drain()
		d.found("ann", "b", func(f *detect.Finding) { f.Severity = detect.SeverityCritical })
		d.wait()
		d.inStep()
		require.Equal(d, "Priority 1 - Critical", d.there("ann").Priority)
	})
}

// Ensure an incident that turned out to be none before its ticket was made gets
// none, unless the PSA had made it after all.
func TestSupersededBefore(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.drain()
		d.vendor.SetFaults(refused("POST", ofTickets, http.StatusServiceUnavailable, 1), lost("POST", ofTickets, 1))
		d.found("ann", "a")
		d.drain()
		d.disproved("ann")
		d.wait()
		require.Empty(d, d.vendor.Tickets())
		require.Equal(d, ticket.StateCancelled, d.row("ann").State)
		d.found("ann", "a") // it holds after all
		d.wait()
		d.inStep()
		require.Equal(d, ticket.StateSynced, d.row("ann").State)
		require.Len(d, d.vendor.Tickets(), 1)

		d.vendor.SetFaults(lost("POST", ofTickets, 1))
		d.found("bob", "a")
		d.drain()
		d.disproved("bob")
		d.wait()
		d.inStep()
		require.True(d, d.there("bob").Closed)
	})
}

// Ensure one who disconnects and connects again goes on with the tickets there are.
func TestConnectedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		d.found("ann", "a")
		d.drain()
		_, err := d.service.Connect(d.ctx, d.form())
		require.ErrorContains(d, err, "is connected")
		_, err = d.service.Disconnect(d.ctx, c.ID)
		require.NoError(d, err)
		d.found("ann", "b")
		d.found("bob", "a")
		d.wait()
		require.Len(d, d.vendor.Tickets(), 1)
		again := d.connect()
		require.Equal(d, c.ID, again.ID)
		d.drain()
		d.found("ann", "c")
		d.wait()
		d.inStep()
		require.Len(d, d.vendor.Tickets(), 2)

		// Even where Cairn has lost its rows.
		d.exec("DELETE FROM ticket_events", "DELETE FROM ticket_steps", "DELETE FROM tickets", "UPDATE psa_connections SET next_probe_at = NULL")
		d.wait()
		require.Len(d, d.vendor.Tickets(), 2)
		require.Equal(d, []string{"REQUESTED", "FOUND"}, d.annsKinds()[:2])
	})
}
