package ticketing_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/refusal"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// annsOnly is the one event of a kind of Ann's ticket.
func (d *desk) annsOnly(kind ticketevent.Kind) *ent.TicketEvent {
	d.Helper()
	e, err := d.db.Client().TicketEvent.Query().Where(ticketevent.TicketID(d.row("ann").ID), ticketevent.KindEQ(kind)).Only(d.ctx)
	require.NoError(d, err, "%v", d.annsKinds())
	return e
}

// Ensure closing a ticket does what the connection's setting says, where staff
// closed it, and nothing where anybody else did.
func TestClosedInThePSA(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		onClose psaconnection.OnClose
		who     string
		want    entincident.Status
		text    string
	}{
		{psaconnection.OnCloseNothing, technician, entincident.StatusOpen, "stays as it is"},
		{psaconnection.OnCloseAsk, technician, entincident.StatusOpen, "Is the incident dealt with?"},
		{psaconnection.OnCloseRemediate, technician, entincident.StatusRemediated, "is remediated"},
		{psaconnection.OnCloseRemediate, "customer-portal", entincident.StatusOpen, "stays as it is"},
		{psaconnection.OnCloseRemediate, "workflow", entincident.StatusOpen, "stays as it is"},
	} {
		t.Run(string(c.onClose)+" "+c.who, func(t *testing.T) {
			t.Parallel()
			each(t, func(d *desk) {
				d.connect(func(f *ticketing.Connect) { f.OnClose = c.onClose })
				d.found("ann", "a")
				d.drain()
				require.NoError(d, d.vendor.Close(d.number("ann"), c.who))
				d.wait()
				require.Equal(d, c.want, d.incident("ann").Status)
				e := d.annsOnly(ticketevent.KindClosed)
				require.Contains(d, e.Text, c.text)
				require.True(d, e.InPsa)
				require.True(d, d.there("ann").Closed)
				require.Equal(d, ticket.StateSynced, d.row("ann").State)
				if c.want == entincident.StatusRemediated {
					d.inStep()
					require.Contains(d, d.incident("ann").StatusReason, technician)
				}
			})
		})
	}
}

// Ensure news of an attack opens a ticket again that somebody closed, though the
// change fails once, and that anything else does not.
func TestNewsOpensAgain(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.drain()
		require.NoError(d, d.vendor.Close(d.number("ann"), technician))
		d.status("ann", entincident.StatusContained)
		d.wait()
		require.True(d, d.there("ann").Closed, "no news of an attack")
		d.vendor.SetFaults(refused("PATCH", ofTicket, http.StatusServiceUnavailable, 1))
		d.found("ann", "b")
		d.wait()
		require.False(d, d.there("ann").Closed)
		d.inStep()
		require.NoError(d, d.vendor.Close(d.number("ann"), technician))
		d.wait()
		require.True(d, d.there("ann").Closed, "closed again with nothing new")

		// News that came before the closing was noticed is news nevertheless.
		d.found("bob", "a")
		d.drain()
		require.NoError(d, d.vendor.Close(d.number("bob"), technician))
		d.found("bob", "b")
		d.wait()
		require.False(d, d.there("bob").Closed)
	})
}

// Ensure what people do in the PSA is shown once, and left as it is.
func TestPeopleAreNotOverruled(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.drain()
		require.NoError(d, d.vendor.SetStatus(d.number("ann"), inProgress, technician))
		require.NoError(d, d.vendor.Note(d.number("ann"), "Called the user: see ![x](https://evil.example/a)\x1b[31m", technician))
		d.wait()
		require.Equal(d, "In Progress", d.there("ann").Status)
		require.Contains(d, d.annsOnly(ticketevent.KindStatusChanged).Text, "In Progress")
		reply := d.annsOnly(ticketevent.KindReplied)
		require.Equal(d, technician, reply.By)
		require.Equal(d, "Called the user: see ![x](hxxps[://]evil[.]example/a)[31m", reply.Text)
		d.found("ann", "b")
		d.wait()
		require.Equal(d, "In Progress", d.there("ann").Status)
		d.inStep()
	})
}

// Ensure a ticket of ours that was merged into somebody's is followed there with
// notes, and that nothing else is touched.
func TestMergedIntoSomebodysTicket(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.found("bob", "a") // stands for a ticket of people's
		d.drain()
		theirs, ours := d.there("bob"), d.number("ann")
		d.exec("DELETE FROM ticket_events", "DELETE FROM ticket_steps WHERE ticket_id = '"+d.row("bob").ID+"'", "DELETE FROM tickets WHERE id = '"+d.row("bob").ID+"'")
		require.NoError(d, d.vendor.Merge(ours, theirs.ID, technician))
		d.pass(2 * time.Minute)
		require.Equal(d, theirs.ID, d.number("ann"))
		d.found("ann", "b", func(f *detect.Finding) { f.Severity = detect.SeverityCritical })
		d.status("ann", entincident.StatusRemediated)
		d.pass(2 * time.Minute)
		require.Equal(d, ticket.StateSynced, d.row("ann").State)
		for _, x := range d.vendor.Tickets() {
			if x.ID != theirs.ID {
				continue
			}
			require.Equal(d, []any{theirs.Title, theirs.Priority, theirs.Status, theirs.Reference}, []any{x.Title, x.Priority, x.Status, x.Reference})
			require.NotEmpty(d, notes(x))
			return
		}
		d.Fatal("theirs is gone")
	})
}

// Ensure a ticket counts as deleted where the PSA says that it is not there and
// still shows another, and not where a narrowed role hides them all.
func TestDeletedOrHidden(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		d.found("ann", "a")
		d.found("bob", "a")
		d.drain()
		hide := refused("GET", ofTicket, http.StatusNotFound, 0)
		everything := refused("", ofTickets, http.StatusNotFound, 0)
		d.vendor.SetFaults(hide, everything)
		d.found("ann", "b")
		d.wait()
		require.Equal(d, ticket.StateRetrying, d.row("ann").State)
		d.vendor.SetFaults(refused("", "service/tickets", http.StatusForbidden, 0))
		_, err := d.service.Retry(d.ctx, d.row("ann").ID)
		require.NoError(d, err)
		d.wait()
		require.NotEqual(d, ticket.StateDeleted, d.row("ann").State)
		require.Contains(d, d.row("ann").LastError, "right is missing")
		d.vendor.SetFaults()
		_, err = d.service.Retry(d.ctx, d.row("ann").ID)
		require.NoError(d, err)
		d.wait()
		d.inStep()

		require.NoError(d, d.vendor.Delete(d.number("ann"), technician))
		for range 3 {
			d.wait()
		}
		require.Equal(d, ticket.StateDeleted, d.row("ann").State)
		d.found("ann", "c")
		d.wait()
		require.Equal(d, ticket.StateDeleted, d.row("ann").State, "Cairn makes no other by itself")
		_, err = d.service.Retry(d.ctx, d.row("ann").ID)
		require.Equal(d, refusal.Conflict, refusal.From(err).Code)
		_, err = d.service.CreateFor(d.ctx, d.incident("ann").ID, d.row("ann").ConnectionID)
		require.NoError(d, err)
		d.wait()
		d.inStep()
	})
}

// meanwhile does something while a run is between reading and writing.
func (d *desk) meanwhile(where string, do func()) {
	var once sync.Once
	d.service.At(func(at string) {
		if at == where {
			once.Do(do)
		}
	})
}

// Ensure a mapping, a change of settings or a retry that comes while somebody
// works on the ticket is heeded.
func TestSettingsRaceARun(t *testing.T) {
	t.Parallel()
	company := "77"
	none := ""
	for name, c := range map[string]struct {
		fault bool
		do    func(d *desk, c *ent.PSAConnection) error
	}{
		"mapping": {do: func(d *desk, c *ent.PSAConnection) error {
			_, err := d.service.MapTenantToCompany(d.ctx, c.ID, d.tenant.ID, company)
			return err
		}},
		"default company": {do: func(d *desk, c *ent.PSAConnection) error {
			_, err := d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{DefaultCompany: &company})
			return err
		}},
		"retry": {fault: true, do: func(d *desk, _ *ent.PSAConnection) error {
			d.vendor.SetFaults()
			_, err := d.service.Retry(d.ctx, d.row("ann").ID)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(d *desk) {
				conn := d.connect(func(f *ticketing.Connect) {
					if !c.fault {
						f.DefaultCompany = none
					}
				})
				d.drain()
				where := "waits" // planned, and not written
				if c.fault {
					where = "create called"
					d.vendor.SetFaults(refused("POST", ofTickets, http.StatusBadRequest, 0))
				}
				d.meanwhile(where, func() {
					if err := c.do(d, conn); err != nil {
						d.Error(err)
					}
				})
				d.found("ann", "a")
				d.drain()
				d.pass(10 * time.Second)
				d.inStep()
				require.Equal(d, ticket.StateSynced, d.row("ann").State, d.row("ann").LastError)
			})
		})
	}
}

// Ensure what a person has to do is said, and done the ticket is made.
func TestWaitsForAPerson(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect(func(f *ticketing.Connect) { f.Settings, f.DefaultCompany = nil, "" })
		d.found("ann", "a")
		d.wait()
		row := d.row("ann")
		require.Equal(d, ticket.StateWaiting, row.State)
		require.Contains(d, row.LastError, "no Service board chosen")
		_, err := d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{Settings: d.form().Settings})
		require.NoError(d, err)
		d.drain()
		require.Contains(d, d.row("ann").LastError, "has no company")
		suggested, err := d.service.Suggest(d.ctx, c)
		require.NoError(d, err)
		require.Len(d, suggested, 1)
		require.Equal(d, "77", suggested[0].Company.ID)
		_, err = d.service.MapTenantToCompany(d.ctx, c.ID, d.tenant.ID, "77")
		require.NoError(d, err)
		d.drain()
		d.inStep()
		require.Equal(d, []string{"REQUESTED", "WAITING", "WAITING", "CREATED"}, d.annsKinds())
	})
}

// Ensure a ticket that can't be made says why, and no other is touched.
func TestFailedSaysWhy(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		d.drain()
		d.vendor.SetCompanyActive(contoso, false)
		d.found("ann", "a")
		d.drain()
		require.Equal(d, ticket.StateFailed, d.row("ann").State)
		require.Contains(d, d.row("ann").LastError, "updatePsaConnection")
		d.vendor.SetCompanyActive(contoso, true)
		_, rights, err := d.service.Verify(d.ctx, c.ID)
		require.NoError(d, err)
		require.NotEmpty(d, rights)
		d.drain()
		d.inStep()
	})
}

// Ensure one connection's trouble is not another's, and an expired key is mended
// by a new one.
func TestExpiredKey(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		d.drain()
		d.vendor.SetPrivateKey("another")
		for _, who := range []string{"ann", "bob", "cat"} {
			d.found(who, "a")
			d.drain()
		}
		d.wait()
		health, err := d.service.Health(d.ctx, c)
		require.NoError(d, err)
		require.Equal(d, "CREDENTIALS", health.Reason)
		require.Equal(d, ticket.StateRetrying, d.row("ann").State)
		require.Contains(d, d.row("ann").LastError, "enter valid ones")
		_, err = d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{Fields: map[string]string{"privateKey": "wrong"}})
		require.Equal(d, refusal.Invalid, refusal.From(err).Code)
		require.NotContains(d, err.Error(), "wrong")
		_, err = d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{Fields: map[string]string{"privateKey": "another"}})
		require.NoError(d, err)
		d.drain()
		d.inStep()
		require.Len(d, d.vendor.Tickets(), 3)
	})
}

// Ensure a missing right to callbacks stops no ticket.
func TestCallbackRightMissing(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.https()
		d.vendor.Behave(func(b *simulated.Behaviour) { b.Denied = []string{"system/callbacks"} })
		c := d.connect()
		d.found("ann", "a")
		d.wait()
		d.inStep()
		c, err := d.db.Client().PSAConnection.Get(d.ctx, c.ID)
		require.NoError(d, err)
		require.Contains(d, c.CallbackError, "right is missing")
		require.Empty(d, c.LastError)
		health, err := d.service.Health(d.ctx, c)
		require.NoError(d, err)
		require.Zero(d, health.Failures)
	})
}

// Ensure secrets are sealed, and a service without a master key refuses them.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		require.NotContains(d, string(c.Credentials), simulated.DemoPrivateKey)
		require.NotContains(d, c.Fields, "privateKey")
		key := d.key
		d.key = nil
		d.start()
		_, err := d.service.Connect(d.ctx, d.form())
		require.ErrorContains(d, err, "cairn admin init")
		d.found("ann", "a")
		d.drain()
		require.Contains(d, d.row("ann").LastError, "no master key")
		d.key = key
		d.start()
		d.wait()
		d.inStep()
		_, err = d.service.Disconnect(d.ctx, c.ID)
		require.NoError(d, err)
		c, err = d.db.Client().PSAConnection.Get(d.ctx, c.ID)
		require.NoError(d, err)
		require.Empty(d, c.Credentials)
	})
}

// Ensure the test ticket is made, noted and closed, and says what is missing.
func TestTestTicket(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		_, made, err := d.service.SendTestTicket(d.ctx, c.ID, "")
		require.NoError(d, err)
		require.True(d, made.Closed)
		require.Len(d, d.vendor.Tickets(), 1)
		d.vendor.SetFaults(refused("POST", ofNotes, http.StatusForbidden, 0))
		_, _, err = d.service.SendTestTicket(d.ctx, c.ID, "")
		require.Contains(d, err.Error(), "right is missing")
		_, _, err = d.service.SendTestTicket(d.ctx, "psaconnection_none", "")
		require.Equal(d, refusal.NotFound, refusal.From(err).Code)
	})
}
