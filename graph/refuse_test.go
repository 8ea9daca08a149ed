package graph_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/graph"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// Ensure requests that are no JSON POST of one operation are refused with a
// fitting status, and never carried out.
func TestTransport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databasetest.SQLite(t), nil)
	viewer := `{"query":"{viewer{id}}"}`
	for _, c := range []struct {
		method, contentType, body string
		status                    int
		code, message             string
	}{
		{"GET", "", "", 405, "BAD_USER_INPUT", "POST alone"},
		{"GET", "application/json", viewer, 405, "BAD_USER_INPUT", "POST alone"},
		{"PUT", "application/json", viewer, 405, "BAD_USER_INPUT", "POST alone"},
		{"POST", "application/x-www-form-urlencoded", "query={viewer{id}}", 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "multipart/form-data; boundary=x", "--x--", 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "text/plain", viewer, 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "application/graphql", "{viewer{id}}", 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "application/json; charset=utf-16", viewer, 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "", viewer, 415, "BAD_USER_INPUT", "application/json"},
		{"POST", "application/json", "", 400, "BAD_USER_INPUT", "not a JSON object"},
		{"POST", "application/json", "{", 400, "BAD_USER_INPUT", "not a JSON object"},
		{"POST", "application/json", `"x"`, 400, "BAD_USER_INPUT", "not a JSON object"},
		{"POST", "application/json", viewer + "x", 400, "BAD_USER_INPUT", "something follows"},
		{"POST", "application/json", " [" + viewer + "]", 400, "BAD_USER_INPUT", "lists of operations"},
		{"POST", "application/json", `{"query":"` + strings.Repeat(" ", 1<<20) + `"}`, 413, "TOO_COMPLEX", "1048576 bytes"},
		{"POST", "application/json", `{"query":"{node(id:\"\\u0000\"){id}}"}`, 200, "BAD_USER_INPUT", "NUL"},
		{"POST", "application/json", `{"query":"query($f:TenantFilter){tenants(filter:$f){totalCount}}","variables":{"f":{"search":"\u0000"}}}`, 400, "BAD_USER_INPUT", "NUL"},
	} {
		a := w.send(c.method, c.contentType, c.body)
		require.Equal(t, c.status, a.status, a.body)
		require.Equal(t, c.code, a.code(t))
		require.Contains(t, a.Errors[0].Message, c.message)
		require.NotContains(t, a.body, "apikey_1")
	}
	for body, status := range map[string]int{viewer: 200, `{"query":"{nonsense}"}`: 400} {
		strict := w.sendAccepting("application/graphql-response+json", "POST", "application/json", body)
		require.Equal(t, status, strict.status, "an operation that could not start")
		require.Equal(t, "application/graphql-response+json; charset=utf-8", strict.header.Get("Content-Type"))
	}
	a := w.send("POST", "application/json; charset=UTF-8", viewer)
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, map[string]int{"requested": 2, "limit": 50000}, a.Extensions.Cost)
}

// Ensure operations that are wrong or out of proportion are refused precisely.
func TestOperationRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		deep := strings.Repeat("{findings{nodes{incident", 6) + "{id}" + strings.Repeat("}}}", 6)
		fragments := []string{"{...fa0}"}
		for i := range 40 {
			fragments = append(fragments, strings.NewReplacer("N", num(i), "M", num(i+1)).Replace("fragment fN on Query{...fM ...fM}"))
		}
		bomb := strings.Join(fragments, " ") + " fragment fe0 on Query{__typename}"
		for query, want := range map[string][2]string{
			`{`:                                {"BAD_USER_INPUT", "Expected Name"},
			``:                                 {"BAD_USER_INPUT", "no operation"},
			`{nonsense}`:                       {"BAD_USER_INPUT", `Cannot query field "nonsense"`},
			`{incidents}`:                      {"BAD_USER_INPUT", "must have a selection"},
			`{tenants(first:"x"){totalCount}}`: {"BAD_USER_INPUT", "Int cannot represent"},
			`{tenants(first:99999999999999999999){totalCount}}`:                                                    {"BAD_USER_INPUT", ""},
			`{incidents(filter:{kinds:[NOPE]}){totalCount}}`:                                                       {"BAD_USER_INPUT", "NOPE"},
			`{incidents(filter:{nope:1}){totalCount}}`:                                                             {"BAD_USER_INPUT", "nope"},
			`{incidents(filter:{occurredAt:{from:"yesterday"}}){totalCount}}`:                                      {"BAD_USER_INPUT", "RFC 3339"},
			`{incidents(filter:{occurredAt:{from:1}}){totalCount}}`:                                                {"BAD_USER_INPUT", ""},
			`{incidents(filter:{occurredAt:{from:"2026-03-02T00:00:00Z",to:"2026-03-01T00:00:00Z"}}){totalCount}}`: {"BAD_USER_INPUT", "filter.occurredAt: to lies before from"},
			`{activities(filter:{addresses:["300.1.1.1"]}){totalCount}}`:                                           {"BAD_USER_INPUT", `filter.addresses: "300.1.1.1" is no IPv4 or IPv6 address`},
			`{activities(filter:{countries:["Netherlands"]}){totalCount}}`:                                         {"BAD_USER_INPUT", "ISO 3166-1"},
			`{activities(filter:{text:"` + strings.Repeat("x", 1001) + `"}){totalCount}}`:                          {"BAD_USER_INPUT", "1000 bytes"},
			`{activities{totalCount}}`:                                                                             {"BAD_USER_INPUT", "filter"},
			`query($x:ID!){node(id:$x){id}}`:                                                                       {"BAD_USER_INPUT", "must be defined"},
			`query a{viewer{id}} query b{viewer{id}}`:                                                              {"BAD_USER_INPUT", "operation"},
			`subscription{x}`: {"BAD_USER_INPUT", ""},
			`{node(id:"x"){... on Incident` + deep + `}}`:                                                           {"TOO_COMPLEX", "levels"},
			`{` + many("a%d:__typename ", 30) + `}`:                                                                 {"TOO_COMPLEX", "root fields"},
			`{viewer{` + aliases(51) + `}}`:                                                                         {"TOO_COMPLEX", "50 aliases"},
			`{viewer{` + strings.Repeat("id ", 2001) + `}}`:                                                         {"TOO_COMPLEX", "2000 fields"},
			`{viewer{` + strings.Repeat("id ", 1900) + `}}`:                                                         {"TOO_COMPLEX", "once is enough"},
			`{viewer{...on Viewer{` + strings.Repeat("id ", 15) + `}` + strings.Repeat("id ", 15) + `}}`:            {"TOO_COMPLEX", "once is enough"},
			`{incidents(filter:{search:"a\u{0}b"}){totalCount}}`:                                                    {"BAD_USER_INPUT", "NUL"},
			`{incidents(filter:{search:"a\u0000b"}){totalCount}}`:                                                   {"BAD_USER_INPUT", "NUL"},
			`{viewer{` + strings.Repeat("id ", 6000) + `}}`:                                                         {"TOO_COMPLEX", "token limit"},
			`{viewer{` + strings.Repeat(" id @skip(if:false) name @skip(if:false) kind @skip(if:false)", 17) + `}}`: {"TOO_COMPLEX", "50 directives"},
			bomb: {"TOO_COMPLEX", "fields"},
			`{__schema{types{` + strings.Repeat("fields{type{", 4) + `name` + strings.Repeat("}}", 4) + `}}}`:                  {"BAD_USER_INPUT", "introspection depth"},
			`{__type(name:"Node"){` + strings.Repeat("possibleTypes{interfaces{", 3) + `name` + strings.Repeat("}}", 3) + `}}`: {"BAD_USER_INPUT", "introspection depth"},
			`{incidents{nodes{findings{nodes{evidence{nodes{id source operation account{id}}}}}}}}`:                            {"TOO_COMPLEX", "exceeds the limit of 50000"},
			`{a:incidents(first:100){nodes{timeline(first:100){nodes{id occurredAt ... on TimelineEvidence{findings{id}}}}}}}`: {"TOO_COMPLEX", "complexity"},
		} {
			a := w.ask(query)
			require.Equal(w, want[0], a.code(w), "%.200s\n%s", query, a.body)
			require.Contains(w, a.Errors[0].Message, want[1], "%.200s", query)
			require.Equal(w, http.StatusOK, a.status)
		}
		require.Empty(w, w.logs.String(), "nothing of this is a fault")
	})
}

func num(i int) string { return string(rune('a'+i/10)) + string(rune('0'+i%10)) }

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("x" + num(i) + ":id ")
	}
	return b.String()
}

// Ensure nothing is answered without a scope, and nothing to a role without permission.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		stranger := w
		stranger.scope = nil
		for _, query := range []string{`{viewer{id}}`, `{__schema{types{name}}}`, `{`, `{incidents{totalCount}}`} {
			a := stranger.ask(query)
			require.Equal(w, "UNAUTHENTICATED", a.code(w))
			require.Equal(w, http.StatusUnauthorized, a.status)
		}
		w.scope = &access.Scope{OrganizationID: w.org.ID, Principal: access.Principal{Role: access.RoleBilling}}
		for _, query := range []string{
			`{incidents{totalCount}}`, `{activities(filter:{}){totalCount}}`, `{node(id:"` + tn.ID + `"){id}}`,
			`{node(id:"` + strings.TrimSuffix(tn.ID, "0") + `"){id}}`, `mutation{createTenant(input:{name:"x"}){userErrors{code}}}`,
		} {
			require.Equal(w, "FORBIDDEN", w.ask(query).code(w), query)
		}
		n, err := w.db.Client().Tenant.Query().Count(w.ctx)
		require.NoError(w, err)
		require.Equal(w, 1, n)
	})
}

// Ensure the schema can be closed: no introspection and no hints.
func TestIntrospectionOff(t *testing.T) {
	t.Parallel()
	db := databasetest.SQLite(t)
	open, closed := newWorld(t, db, nil), newWorld(t, db, func(c *graph.Config) { c.Introspection = false })
	require.Empty(t, open.ask(introspection).Errors)
	require.Contains(t, open.ask(`{incidentz{id}}`).Errors[0].Message, "Did you mean")
	for _, query := range []string{introspection, `{__type(name:"Incident"){name}}`, `{...f} fragment f on Query{__schema{types{name}}}`} {
		a := closed.ask(query)
		require.Equal(t, "BAD_USER_INPUT", a.code(t))
		require.NotContains(t, a.body, "Incident")
	}
	require.NotContains(t, closed.ask(`{incidentz{id}}`).body, "incidents")
	require.Contains(t, closed.get(`{__typename viewer{__typename}}`), "Viewer")
	require.Empty(t, closed.logs.String())
}

// introspection is the query of the usual explorers, at its depth.
const introspection = `query IntrospectionQuery{__schema{queryType{name} mutationType{name} types{...FullType} directives{name description locations args{...InputValue}}}}
fragment FullType on __Type{kind name description fields(includeDeprecated:true){name description args{...InputValue} type{...TypeRef} isDeprecated deprecationReason}
inputFields{...InputValue} interfaces{...TypeRef} enumValues(includeDeprecated:true){name description isDeprecated deprecationReason} possibleTypes{...TypeRef}}
fragment InputValue on __InputValue{name description type{...TypeRef} defaultValue}
fragment TypeRef on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}`

// Ensure a fault shows a request id and nothing of its inside, and is logged.
func TestFaultsStayInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databasetest.SQLite(t), func(c *graph.Config) {
		c.Now = func() time.Time { panic("secret inside") }
	})
	a := w.ask(`{failedAttacks{total}}`)
	require.Equal(t, "INTERNAL", a.code(t))
	require.NotContains(t, a.body, "secret")
	require.Contains(t, w.logs.String(), "secret inside")
	require.Contains(t, w.logs.String(), "request=request_1")
}

// Ensure an operation that takes too long ends, and says so.
func TestTimeout(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		slow := newWorld(w.T, w.db, func(c *graph.Config) { c.Timeout = time.Nanosecond })
		a := slow.ask(`{incidents{totalCount}}`)
		require.Equal(w, "TOO_COMPLEX", a.code(w))
		require.Contains(w, a.Errors[0].Message, "longer than 1ns")
	})
}

// Ensure an operation that is under way ends when its time is up.
func TestTimeoutOnTheWay(t *testing.T) {
	t.Parallel()
	db, err := database.Open(context.Background(), database.Config{URL: pgtest.URL(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorld(t, db, func(c *graph.Config) { c.Timeout = 100 * time.Millisecond })
	require.NoError(t, db.InTx(w.ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.SQL.ExecContext(ctx, "LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE") // readers wait for the end of it
		require.NoError(t, err)
		a := w.ask(`{tenants{totalCount}}`) //nolint:contextcheck // it is asked over HTTP
		require.Equal(t, "TOO_COMPLEX", a.code(t))
		require.Contains(t, a.Errors[0].Message, "longer than 100ms")
		return nil
	}))
	require.Empty(t, w.logs.String())
}

// many repeats a text, each time with another number.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
