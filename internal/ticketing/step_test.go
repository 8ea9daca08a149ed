package ticketing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Ensure a live incident becomes a ticket at once, and the ticket follows it:
// findings, severity, end and new beginning.
func TestTicketFollowsItsIncident(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.drain()
		x := d.there("ann")
		require.Equal(d, "[HIGH] Incident #1: Account compromise of ann@contoso.example", x.Title)
		require.Equal(d, "Security", x.Board)
		require.Equal(d, "Contoso Ltd", x.Company)
		require.Equal(d, "Priority 2 - High", x.Priority)
		require.Equal(d, ticket.StateSynced, d.row("ann").State)
		require.Equal(d, []string{"REQUESTED", "CREATED"}, d.annsKinds())

		d.found("ann", "b", func(f *detect.Finding) { f.Severity = detect.SeverityCritical })
		d.drain()
		d.inStep()
		x = d.there("ann")
		require.Equal(d, "Priority 1 - Critical", x.Priority)
		require.Contains(d, x.Title, "[CRITICAL]")
		for _, n := range x.Notes[1:] {
			require.True(d, n.Internal, n.Text)
		}

		d.status("ann", entincident.StatusRemediated)
		d.drain()
		d.inStep()
		require.True(d, d.there("ann").Closed)
		d.status("ann", entincident.StatusOpen)
		d.drain()
		d.inStep()
		before := len(d.annsKinds())
		d.wait()
		d.inStep()
		require.Len(d, d.annsKinds(), before, "no echo: %v", d.annsKinds())
	})
}

// Ensure incidents that were live before the PSA was connected get tickets, and
// past ones when asked for.
func TestLiveAtConnectTime(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.found("ann", "a")
		d.found("bob", "a", func(f *detect.Finding) { f.OccurredAt = t0.AddDate(0, 0, -9); f.LastAt = f.OccurredAt })
		d.found("cat", "a")
		d.status("cat", entincident.StatusFalsePositive)
		c := d.connect()
		d.drain()
		require.Len(d, d.vendor.Tickets(), 1)
		d.there("ann")
		_, err := d.service.CreateFor(d.ctx, d.incident("bob").ID, c.ID)
		require.NoError(d, err)
		again, err := d.service.CreateFor(d.ctx, d.incident("bob").ID, c.ID)
		require.NoError(d, err)
		d.drain()
		require.Equal(d, again.ID, d.there("bob").Reference)
		require.Len(d, d.vendor.Tickets(), 2)
		d.wait()
		d.inStep()
	})
}

// Ensure that, killed between any two lines, the next process goes on: one
// ticket, every note once, and states equal.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	places := []string{"read", "create begun", "create called", "note begun", "note called", "update begun", "update called", "observed"}
	each(t, func(d *desk) {
		d.connect()
		d.drain()
		killed := 0
		for n, where := range places {
			for nth := 1; nth <= 3; nth++ {
				name := string(rune('a'+n)) + string(rune('0'+nth))
				hit := d.killAt(where, nth, func() {
					d.found(name, "a")
					d.drain()
					d.found(name, "b", func(f *detect.Finding) { f.Severity = detect.SeverityCritical })
					d.drain()
					if d.row(name).ExternalID != "" && where == "observed" {
						require.NoError(d, d.vendor.SetStatus(d.number(name), inProgress, technician))
						d.pass(2 * time.Minute)
					}
					d.status(name, entincident.StatusRemediated)
					d.drain()
				})
				if hit {
					killed++
				}
				d.pass(time.Minute) // the lease of the dead is over
			}
		}
		require.Greater(d, killed, len(places))
		d.wait()
		d.inStep()
		require.Len(d, d.vendor.Tickets(), 3*len(places))
	})
}
