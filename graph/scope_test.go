package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ensure another organization's rows are invisible by every way, and that what
// is out of scope and what never existed get the same answer.
func TestScope(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", microsoftID)
		mary := w.account(tn, "mary@contoso.example")
		act := w.activity(tn, mary, "a", now, nil)
		i := w.incident(tn, mary, 1, nil)
		f := w.finding(i, "f", now, act)
		event, err := w.db.Client().IncidentEvent.Query().Only(w.ctx)
		require.NoError(w, err)
		foreign := []string{w.org.ID, tn.ID, mary.ID, act.ID, i.ID, f.ID, event.ID}
		cursor := *w.page(`{incidents(orderBy:{field:NUMBER,direction:ASC} %s)%s}`, "first:1", "incidents").PageInfo.EndCursor

		other := w.as("MSP Two")
		other.expect(`{"tenants":{"totalCount":0,"nodes":[]},"accounts":{"totalCount":0,"nodes":[]},"incidents":{"totalCount":0,"nodes":[]},
			"activities":{"totalCount":0,"nodes":[]},"failedAttacks":{"total":0,"byDay":[],"byCountry":[],"byTactic":[],"topAccounts":[]}}`,
			`{tenants{totalCount nodes{id}} accounts{totalCount nodes{id}} incidents{totalCount nodes{id}} activities(filter:{}){totalCount nodes{id}}
			failedAttacks{total byDay{attempts} byCountry{attempts} byTactic{attempts} topAccounts{attempts}}}`)
		for _, ref := range []string{tn.ID, microsoftID} {
			other.expect(`{"tenants":{"totalCount":0},"accounts":{"totalCount":0},"incidents":{"totalCount":0},"activities":{"totalCount":0},"failedAttacks":{"total":0}}`,
				`query($t:[ID!]){tenants(filter:{ids:$t}){totalCount} accounts(filter:{tenantIds:$t}){totalCount} incidents(filter:{tenantIds:$t}){totalCount}
				activities(filter:{tenantIds:$t}){totalCount} failedAttacks(filter:{tenantIds:$t}){total}}`, "t", []string{ref})
		}
		other.expect(`{"incidents":{"nodes":[]},"activities":{"nodes":[]}}`,
			`query($a:[ID!]){incidents(filter:{accountIds:$a}){nodes{id}} activities(filter:{accountIds:$a}){nodes{id}}}`, "a", []string{mary.ID})
		for _, id := range foreign {
			known, unknown := other.ask(`{node(id:"`+id+`"){id}}`), other.ask(`{node(id:"`+id[:len(id)-1]+"x"+`"){id}}`)
			require.Equal(w, unknown.body, known.body)
			require.JSONEq(w, `{"node":null}`, string(known.Data))
		}
		other.expect(`{"nodes":[null,null,null,null,null,null,null]}`, `query($ids:[ID!]!){nodes(ids:$ids){id}}`, "ids", foreign)

		// A row of their own that points at a foreign one shows nothing of it.
		own := other.tenant("fabrikam", "")
		mine := other.incident(own, nil, 1, nil)
		other.finding(mine, "mine", now, act)
		other.expect(`{"node":{"findings":{"totalCount":1,"nodes":[{"evidence":{"totalCount":0,"nodes":[]}}]},"timeline":{"totalCount":1}}}`,
			`query($id:ID!){node(id:$id){... on Incident{findings{totalCount nodes{evidence{totalCount nodes{id}}}} timeline{totalCount}}}}`, "id", mine.ID)
		other.expect(`{"incidents":{"nodes":[{"id":"`+mine.ID+`"}]}}`, fmt.Sprintf(`{incidents(orderBy:{field:NUMBER,direction:ASC} first:5 after:%q){nodes{id}}}`, cursor))

		for _, id := range []string{tn.ID, microsoftID, "tenant_unknown"} {
			other.expect(`{"updateTenant":{"tenant":null,"userErrors":[{"code":"NOT_FOUND","message":"no tenant has this id","field":["id"]}]}}`,
				`mutation($id:ID!){updateTenant(input:{id:$id,name:"mine now"}){tenant{id} userErrors{code message field}}}`, "id", id)
		}
		for _, id := range []string{i.ID, "incident_unknown"} {
			other.expect(`{"updateIncident":{"incident":null,"userErrors":[{"code":"NOT_FOUND","message":"no incident has this id","field":["id"]}]}}`,
				`mutation($id:ID!){updateIncident(input:{id:$id,status:FALSE_POSITIVE,reason:"x"}){incident{id} userErrors{code message field}}}`, "id", id)
		}
		w.expect(`{"tenants":{"nodes":[{"name":"contoso"}]},"incidents":{"nodes":[{"status":"OPEN"}]}}`, `{tenants{nodes{name}} incidents{nodes{status}}}`)
	})
}
