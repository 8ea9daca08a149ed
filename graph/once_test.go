package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ensure every mutation with an idempotency key acts once for it, answers the
// same again, and refuses the key for anything else.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		const conflict = `[{"code":"CONFLICT","field":["idempotencyKey"]}]`
		create := `mutation($name:String!,$key:String){createTenant(input:{name:$name,idempotencyKey:$key}){tenant{name} userErrors{code field}}}`
		for range 2 {
			w.expect(`{"createTenant":{"tenant":{"name":"contoso"},"userErrors":[]}}`, create, "name", "contoso", "key", "k1")
		}
		w.expect(`{"createTenant":{"tenant":null,"userErrors":`+conflict+`}}`, create, "name", "fabrikam", "key", "k1")
		w.expect(`{"createTenant":{"tenant":null,"userErrors":[{"code":"TAKEN","field":["name"]}]}}`, create, "name", "contoso")
		w.expect(`{"createTenant":{"tenant":null,"userErrors":[{"code":"TAKEN","field":["name"]}]}}`, create, "name", "contoso", "key", "k2")
		w.expect(`{"createTenant":{"tenant":{"name":"fabrikam"},"userErrors":[]}}`, create, "name", "fabrikam", "key", "k2")
		w.expect(`{"createTenant":{"tenant":null,"userErrors":[{"code":"INVALID","field":["idempotencyKey"]}]}}`, create, "name", "x", "key", "")

		tn := w.tenant("woodgrove", "")
		update := `mutation($id:ID!,$name:String!,$key:String){updateTenant(input:{id:$id,name:$name,idempotencyKey:$key}){tenant{name} userErrors{code field}}}`
		w.expect(`{"updateTenant":{"tenant":{"name":"one"},"userErrors":[]}}`, update, "id", tn.ID, "name", "one", "key", "k1")
		w.expect(`{"updateTenant":{"tenant":{"name":"two"},"userErrors":[]}}`, update, "id", tn.ID, "name", "two")
		w.expect(`{"updateTenant":{"tenant":{"name":"two"},"userErrors":[]}}`, update, "id", tn.ID, "name", "one", "key", "k1")
		w.expect(`{"updateTenant":{"tenant":null,"userErrors":`+conflict+`}}`, update, "id", tn.ID, "name", "three", "key", "k1")

		in := w.incident(tn, nil, 1, nil)
		status := `mutation($id:ID!,$status:IncidentStatus!,$key:String){updateIncident(input:{id:$id,status:$status,reason:"r",idempotencyKey:$key}){incident{status} userErrors{code field}}}`
		w.expect(`{"updateIncident":{"incident":{"status":"CONTAINED"},"userErrors":[]}}`, status, "id", in.ID, "status", "CONTAINED", "key", "k1")
		w.expect(`{"updateIncident":{"incident":{"status":"OPEN"},"userErrors":[]}}`, status, "id", in.ID, "status", "OPEN")
		w.expect(`{"updateIncident":{"incident":{"status":"OPEN"},"userErrors":[]}}`, status, "id", in.ID, "status", "CONTAINED", "key", "k1")
		w.expect(`{"updateIncident":{"incident":null,"userErrors":`+conflict+`}}`, status, "id", in.ID, "status", "REMEDIATED", "key", "k1")
		events, err := w.db.Client().IncidentEvent.Query().Count(w.ctx)
		require.NoError(w, err)
		require.Equal(w, 3, events, "opened, contained, opened again")
	})
}

// Ensure a mutation that is sent several times at once by an impatient client is done once.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		const clients = 6
		answers := make(chan answer, clients)
		for range clients {
			go func() {
				answers <- w.ask(`mutation{createTenant(input:{name:"contoso",idempotencyKey:"k"}){tenant{id} userErrors{code}}}`)
			}()
		}
		var first string
		for range clients {
			a := <-answers
			require.Empty(w, a.Errors, a.body)
			if first == "" {
				first = string(a.Data)
			}
			require.JSONEq(w, first, string(a.Data))
		}
		id, err := w.db.Client().Tenant.Query().OnlyID(w.ctx)
		require.NoError(w, err)
		require.JSONEq(w, fmt.Sprintf(`{"createTenant":{"tenant":{"id":%q},"userErrors":[]}}`, id), first)
	})
}
