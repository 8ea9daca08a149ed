package ticketing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// Ensure incidents become tickets where their tenants' routes lead, that changing
// the routes moves no ticket and makes no second one, and that what was in no PSA
// yet goes the new way.
func TestRoutes(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		all := d.connectAll()
		a, b, c := all[0], all[1], all[2]
		contoso, fabrikam := d.tenant, databasetest.Tenant(d.ctx, d, d.db, "fabrikam")
		set := func(i *instance, r *ticketing.Routes) {
			d.Helper()
			got, err := d.service.UpdateConnection(d.ctx, i.connection.ID, ticketing.Update{Routes: r})
			require.NoError(d, err)
			require.Equal(d, r.Which, got.Routes)
		}
		there := func(inA, inB, inC []string) {
			d.Helper()
			d.pass(time.Minute)
			require.Equal(d, inA, a.titles(), "first")
			require.Equal(d, inB, b.titles(), "second")
			require.Equal(d, inC, c.titles(), "third")
		}
		none := []string{}
		set(a, routes(psaconnection.RoutesOnly, contoso))
		set(b, routes(psaconnection.RoutesExcept, contoso))
		d.found("ann", "a")
		one := []string{"Incident #1"}
		there(one, none, one)

		// The tenant moves to the second: what is there stays, and goes on.
		set(a, routes(psaconnection.RoutesOnly, fabrikam))
		set(b, routes(psaconnection.RoutesOnly, contoso, fabrikam))
		d.pass(2 * time.Hour)
		there(one, none, one)
		d.found("ann", "b")
		there(one, none, one)
		require.Len(d, notes(a.Tickets()[0]), 1, "the old ticket is still told")
		d.found("bob", "a")
		there(one, []string{"Incident #2"}, []string{"Incident #1", "Incident #2"})

		// Nobody is asked to make one where no route leads.
		_, err := d.service.CreateFor(d.ctx, d.incident("bob").ID, a.connection.ID)
		require.Equal(d, refusal.Conflict, refusal.From(err).Code)

		// One that waits for a person in one PSA goes to another that it is led to.
		noCompany := ""
		_, err = d.service.UpdateConnection(d.ctx, b.connection.ID, ticketing.Update{DefaultCompany: &noCompany})
		require.NoError(d, err)
		set(c, routes(psaconnection.RoutesOnly, fabrikam))
		d.found("eve", "a")
		d.pass(time.Minute)
		waits := d.rowIn("eve", b.connection)
		require.Equal(d, ticket.StateWaiting, waits.State)
		set(b, routes(psaconnection.RoutesOnly, fabrikam))
		set(a, routes(psaconnection.RoutesAll))
		d.pass(time.Minute)
		require.Equal(d, ticket.StateCancelled, d.rowIn("eve", b.connection).State)
		there([]string{"Incident #1", "Incident #3"}, []string{"Incident #2"}, []string{"Incident #1", "Incident #2"})

		for _, wrong := range []*ticketing.Routes{
			routes(psaconnection.RoutesOnly), routes(psaconnection.RoutesAll, contoso), routes("SOME", contoso),
			{Which: psaconnection.RoutesOnly, Tenants: []string{"tenant_none"}},
		} {
			_, err := d.service.UpdateConnection(d.ctx, a.connection.ID, ticketing.Update{Routes: wrong})
			require.Equal(d, "routes", refusal.From(err).Field[0])
		}
	})
}
