package graph_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
)

type connection struct {
	Edges []struct {
		Cursor string
		Node   struct{ ID string }
	}
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
}

const connectionFields = `{edges{cursor node{id}} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}`

// page asks for a page of a list: field is the whole field with %s where paging arguments go.
func (w world) page(field, arguments string, path ...string) connection {
	w.Helper()
	raw := json.RawMessage(w.get(fmt.Sprintf(field, arguments, connectionFields)))
	for _, p := range path {
		var m map[string]json.RawMessage
		require.NoError(w, json.Unmarshal(raw, &m))
		raw = m[p]
	}
	var c connection
	require.NoError(w, json.Unmarshal(raw, &c))
	return c
}

func (c connection) ids() (ids []string) {
	for _, e := range c.Edges {
		ids = append(ids, e.Node.ID)
	}
	return ids
}

// Ensure pages of every list join without gap or repetition in both
// directions, also where many items share a key.
func TestPages(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		for _, name := range []string{"a", "B", "b", "ä", "z_", "Z", "10", "9"} {
			w.tenant(name, "")
		}
		var shown *ent.Incident
		for n := range 11 {
			a := w.account(tn, fmt.Sprintf("p%d@contoso.example", n*7%11))
			shown = w.incident(tn, a, n+1, func(c *ent.IncidentCreate) {
				c.SetDetectedAt(now.Add(time.Duration(n/4) * time.Minute)).SetOccurredAt(now.Add(time.Duration(-n/3) * time.Minute)).SetSeverityRank(n % 3)
			})
		}
		var cited []*activity.Activity
		for n := range 11 {
			cited = append(cited, w.activity(tn, nil, strconv.Itoa(n), now.Add(time.Duration(n/3)*time.Second), nil))
		}
		var f *ent.Finding
		for n := range 11 {
			f = w.finding(shown, strconv.Itoa(n), now.Add(time.Duration(n/3)*time.Second), cited...)
		}
		lists := map[string][]string{
			`{activities(filter:{} %s)%s}`:                                           {"activities"},
			`{activities(filter:{} orderBy:{field:OCCURRED_AT,direction:ASC} %s)%s}`: {"activities"},
			`{node(id:"` + shown.ID + `"){... on Incident{findings(%s)%s}}}`:         {"node", "findings"},
			`{node(id:"` + shown.ID + `"){... on Incident{timeline(%s)%s}}}`:         {"node", "timeline"},
			`{node(id:"` + f.ID + `"){... on Finding{evidence(%s)%s}}}`:              {"node", "evidence"},
		}
		for field, keys := range map[string][]string{
			"tenants": {"NAME", "CREATED_AT"}, "accounts": {"PRINCIPAL", "CREATED_AT"},
			"incidents": {"DETECTED_AT", "OCCURRED_AT", "SEVERITY", "NUMBER"},
		} {
			for _, key := range keys {
				for _, direction := range []string{"ASC", "DESC"} {
					lists[`{`+field+`(orderBy:{field:`+key+`,direction:`+direction+`} %s)%s}`] = []string{field}
				}
			}
		}
		for field, path := range lists {
			all := w.page(field, "first:100", path...)
			require.GreaterOrEqual(w, len(all.Edges), 9, field)
			require.False(w, all.PageInfo.HasNextPage)
			require.False(w, all.PageInfo.HasPreviousPage)
			sorted := slices.Clone(all.ids())
			slices.Sort(sorted)
			require.Len(w, slices.Compact(sorted), len(all.Edges), field)

			var forward, backward []string
			for after := ""; ; {
				p := w.page(field, "first:4"+after, path...)
				forward = append(forward, p.ids()...)
				require.Equal(w, after != "", p.PageInfo.HasPreviousPage)
				require.Equal(w, p.Edges[len(p.Edges)-1].Cursor, *p.PageInfo.EndCursor)
				if !p.PageInfo.HasNextPage {
					break
				}
				after = fmt.Sprintf(" after:%q", *p.PageInfo.EndCursor)
			}
			require.Equal(w, all.ids(), forward, field)
			for before := ""; ; {
				p := w.page(field, "last:4"+before, path...)
				backward = append(p.ids(), backward...)
				require.Equal(w, before != "", p.PageInfo.HasNextPage)
				if !p.PageInfo.HasPreviousPage {
					break
				}
				before = fmt.Sprintf(" before:%q", *p.PageInfo.StartCursor)
			}
			require.Equal(w, all.ids(), backward, field)
			between := w.page(field, fmt.Sprintf("first:3 after:%q before:%q", all.Edges[1].Cursor, all.Edges[4].Cursor), path...)
			require.Equal(w, all.ids()[2:4], between.ids(), field)
			none := w.page(field, "first:0", path...)
			require.Empty(w, none.Edges)
			require.True(w, none.PageInfo.HasNextPage)
			require.Nil(w, none.PageInfo.StartCursor)
		}
		require.Equal(w, []string{"10", "9", "B", "Z", "a", "b", "contoso", "z_", "ä"}, w.names(), "byte order on both databases")
	})
}

func (w world) names() (names []string) {
	var out struct {
		Tenants struct{ Nodes []struct{ Name string } }
	}
	require.NoError(w, json.Unmarshal([]byte(w.get(`{tenants{nodes{name}}}`)), &out))
	for _, n := range out.Tenants.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// Ensure a page that an item joins while it is read shows no item twice.
func TestPagesStayInPlace(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		for n := range 4 {
			w.incident(tn, nil, n+1, func(c *ent.IncidentCreate) { c.SetDetectedAt(now.Add(time.Duration(n) * time.Minute)) })
		}
		one := w.page(`{incidents(%s)%s}`, "first:2", "incidents")
		w.incident(tn, nil, 5, func(c *ent.IncidentCreate) { c.SetDetectedAt(now.Add(time.Hour)) })
		two := w.page(`{incidents(%s)%s}`, fmt.Sprintf("first:2 after:%q", *one.PageInfo.EndCursor), "incidents")
		require.False(w, two.PageInfo.HasNextPage)
		ids := append(one.ids(), two.ids()...)
		slices.Sort(ids)
		require.Len(w, slices.Compact(ids), 4)
	})
}

// Ensure paging arguments that make no sense are refused precisely.
func TestPagingRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		w.incident(tn, nil, 1, nil)
		detected := *w.page(`{incidents(%s)%s}`, "first:1", "incidents").PageInfo.EndCursor
		ascending := *w.page(`{incidents(orderBy:{field:DETECTED_AT,direction:ASC} %s)%s}`, "first:1", "incidents").PageInfo.EndCursor
		tenantCursor := *w.page(`{tenants(%s)%s}`, "first:1", "tenants").PageInfo.EndCursor
		foreign := `this cursor is from another list or another order; it fits only the list, orderBy and direction it was taken from`
		garbled := `this is no cursor of this API; take one from pageInfo or edges`
		for arguments, message := range map[string]string{
			`first:101`:      `first: 101 is more than the 100 a page may have; go on with after or before`,
			`last:101`:       `last: 101 is more than the 100 a page may have; go on with after or before`,
			`first:-1`:       `first: -1 is negative`,
			`last:-5`:        `last: -5 is negative`,
			`first:1,last:1`: `first and last exclude each other`,
			`after:"x"`:      `after: ` + garbled,
			`after:""`:       `after: ` + garbled,
			`before:"ä"`:     `before: ` + garbled,
			fmt.Sprintf(`after:%q`, detected[:len(detected)-3]):      `after: ` + garbled,
			fmt.Sprintf(`after:%q`, tenantCursor):                    `after: ` + foreign,
			fmt.Sprintf(`before:%q`, ascending):                      `before: ` + foreign,
			fmt.Sprintf(`after:%q,orderBy:{field:NUMBER}`, detected): `after: ` + foreign,
		} {
			a := w.ask(`{incidents(` + arguments + `){nodes{id}}}`)
			require.Equal(w, "BAD_USER_INPUT", a.code(w), arguments)
			require.Equal(w, message, a.Errors[0].Message)
			require.Equal(w, []any{"incidents"}, a.Errors[0].Path)
		}
	})
}
