package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
)

// drawn is an incident of the property test, with its tenant.
type drawn struct {
	of        client
	id        string
	published bool
	severity  string
}

// Ensure that whoever asks, with whatever filter, is answered with exactly the
// rows that a filter over all rows, written down plainly, would leave.
func TestAccessIsAFilterOverAllRows(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		var clients []client
		var all []drawn
		number := 0
		fill := func(w world, name string, n int) {
			for i := range n {
				c := client{name: fmt.Sprint(name, i), sensitive: i%3 == 1, paused: i%5 == 2}
				c.tenant = w.tenant(c.name, "")
				w.write(func(ctx context.Context, e *ent.Client) error {
					update := e.Tenant.UpdateOne(c.tenant).SetSensitive(c.sensitive)
					if c.paused {
						update.SetLifecycle("PAUSED")
					}
					return update.Exec(ctx)
				})
				for j := range 3 {
					number++
					d := drawn{of: c, published: j != 1, severity: []string{"LOW", "HIGH", "CRITICAL"}[j]}
					d.id = w.incident(c.tenant, nil, number, func(i *ent.IncidentCreate) { i.SetPublished(d.published).SetSeverity("HIGH") }).ID
					all = append(all, d)
				}
				clients = append(clients, c)
			}
		}
		fill(w, "own", 12)
		fill(w.as("MSP Two"), "foreign", 3)
		// A holder of every set of assignments that is tried.
		holders := map[string][]string{}
		for i := range 6 {
			holder := fmt.Sprintf("member_holder%d", i)
			for k, c := range clients[:12] {
				if (k*7+i)%(i+2) == 0 {
					holders[holder] = append(holders[holder], c.tenant.ID)
					w.write(func(ctx context.Context, e *ent.Client) error {
						return e.Assignment.Create().SetOrganizationID(w.org.ID).SetTenantID(c.tenant.ID).SetHolderID(holder).Exec(ctx)
					})
				}
			}
		}
		rapid.Check(w.T, func(t *rapid.T) {
			p := access.Principal{
				Kind: access.PrincipalMember, ID: fmt.Sprintf("member_holder%d", rapid.IntRange(0, 5).Draw(t, "holder")),
				Role: rapid.SampledFrom(access.Roles()[:4]).Draw(t, "role"), AssignedOnly: rapid.Bool().Draw(t, "assigned only"),
			}
			for _, f := range access.Flags() {
				if rapid.Bool().Draw(t, string(f)) {
					p.Flags = append(p.Flags, f)
				}
			}
			var asked []string
			filter := map[string]any{}
			if rapid.Bool().Draw(t, "by tenant") {
				asked = []string{}
				for _, c := range clients {
					if rapid.Bool().Draw(t, c.name) {
						asked = append(asked, c.tenant.ID)
					}
				}
				filter["tenantIds"] = asked
			}
			published := rapid.SampledFrom([]any{nil, true, false}).Draw(t, "published")
			if published != nil {
				filter["published"] = published
			}
			want := []string{}
			for _, d := range all[:36] { // those of the other organization are behind them
				c := d.of
				c.assigned = slices.Contains(holders[p.ID], c.tenant.ID)
				if c.visible(p) && (d.published || seesUnpublished(p)) && (asked == nil || slices.Contains(asked, c.tenant.ID)) &&
					(published == nil || published == d.published) {
					want = append(want, d.id)
				}
			}
			w.scope = &access.Scope{OrganizationID: w.org.ID, Principal: p}
			var got struct {
				Incidents struct {
					TotalCount int
					Nodes      []struct{ ID string }
				}
			}
			require.NoError(t, json.Unmarshal([]byte(w.get(`query($f:IncidentFilter){incidents(filter:$f,first:100){totalCount nodes{id}}}`, "f", filter)), &got))
			ids := []string{}
			for _, n := range got.Incidents.Nodes {
				ids = append(ids, n.ID)
			}
			require.ElementsMatch(t, want, ids)
			require.Equal(t, len(want), got.Incidents.TotalCount)
		})
	})
}
