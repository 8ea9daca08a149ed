package ticketing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// guest is somebody of the client's, who sees the desk's tenant.
func (d *desk) guest() context.Context {
	d.Helper()
	const id = "member_guest"
	require.NoError(d, d.db.InTx(d.ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.Assignment.Create().SetOrganizationID(d.tenant.OrganizationID).SetTenantID(d.tenant.ID).SetHolderID(id).Exec(ctx)
	}))
	return access.With(context.Background(), access.Scope{
		OrganizationID: d.tenant.OrganizationID,
		Principal:      access.Principal{Kind: access.PrincipalMember, ID: id, Role: access.RoleExternalGuest},
	})
}

// said are the events of a kind on Ann's incident, in order.
func (d *desk) said(ctx context.Context, kind incidentevent.Kind) []*ent.IncidentEvent {
	d.Helper()
	all, err := d.db.Client().IncidentEvent.Query().Where(incidentevent.IncidentID(d.incident("ann").ID), incidentevent.KindEQ(kind)).
		Order(incidentevent.BySequence()).All(ctx)
	require.NoError(d, err)
	return all
}

// Ensure what staff write on a ticket, in whatever PSA, stands on the incident's
// timeline, once; that it is repeated in no other PSA; and that guests read it
// here where the company's people read it there.
func TestStaffsNotesStandOnTheTimeline(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		all := d.connectAll()
		guest := d.guest()
		d.found("ann", "a")
		d.drain()
		before := map[*instance]int{}
		for _, i := range all {
			x := i.Tickets()[0]
			before[i] = len(x.Notes)
			require.NoError(d, i.Note(x.ID, "Called the user from "+i.vendor.Kind+" https://evil.example", technician))
			require.NoError(d, i.Remark(x.ID, "Between us, from "+i.vendor.Kind+" https://evil.example", technician))
		}
		d.wait()
		d.found("ann", "b")
		d.wait()
		noted := d.said(d.ctx, incidentevent.KindNoted)
		require.Len(d, noted, 2*len(all))
		texts := map[string]bool{}
		for _, e := range noted {
			texts[e.Text] = true
			require.Contains(d, e.Text, "hxxps[://]evil[.]example")
			require.NotEmpty(d, e.Principal)
			require.Equal(d, strings.HasPrefix(e.Text, "Between us"), e.Internal, e.Text)
			require.NotNil(d, e.RelatedID)
		}
		require.Len(d, texts, 2*len(all))
		read := d.said(guest, incidentevent.KindNoted)
		require.Len(d, read, len(all))
		for _, e := range read {
			require.Contains(d, e.Text, "Called the user")
		}
		replies, err := d.db.Client().TicketEvent.Query().Where(ticketevent.KindEQ(ticketevent.KindReplied)).All(guest)
		require.NoError(d, err)
		require.Len(d, replies, len(all), "the tickets' own events hide the same")
		for _, i := range all {
			require.Len(d, i.Tickets()[0].Notes, before[i]+3, "two of staff and one of the finding: "+i.vendor.Kind)
		}
	})
}

// Ensure a ticket that staff close asks on the timeline whether the incident is
// dealt with, for the MSP's people, and once.
func TestCloseAsksOnTheTimeline(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		all := d.connectAll()
		guest := d.guest()
		d.found("ann", "a")
		d.drain()
		for n, i := range all {
			require.NoError(d, i.Close(i.Tickets()[0].ID, technician))
			d.pass(time.Minute)
			d.pass(time.Minute)
			asked := d.said(d.ctx, incidentevent.KindAsked)
			require.Len(d, asked, n+1, i.vendor.Kind)
			require.Contains(d, asked[n].Text, "Is the incident dealt with?")
			require.Equal(d, entincident.StatusOpen, d.incident("ann").Status)
		}
		d.wait()
		require.Len(d, d.said(d.ctx, incidentevent.KindAsked), len(all), "asked once each")
		require.Empty(d, d.said(guest, incidentevent.KindAsked))
		for _, i := range all {
			require.True(d, i.Tickets()[0].Closed, "nothing opens it: "+i.vendor.Kind)
		}
	})
}
