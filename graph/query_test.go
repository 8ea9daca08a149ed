package graph_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

const microsoftID = "0f3c6a4e-1b2d-4c5e-8f90-123456789abc"

// Ensure viewer and organization are those of the scope.
func TestViewer(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		w.expect(fmt.Sprintf(`{"viewer":{"id":"apikey_1","kind":"API_KEY","name":"test key","role":"ADMIN"},
			"organization":{"id":%q,"name":"MSP One","createdAt":"1970-01-01T00:00:00Z"}}`, w.org.ID),
			`{viewer{id kind name role} organization{id name createdAt}}`)
	})
}

// Ensure tenants and accounts are found by every filter.
func TestTenantsAndAccounts(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		b, a := w.tenant("fabrikam", ""), w.tenant("contoso", microsoftID)
		w.write(func(ctx context.Context, c *ent.Client) error {
			return c.Tenant.UpdateOne(b).SetSensitive(true).Exec(ctx)
		})
		names := func(filter string, want ...string) {
			w.Helper()
			w.expect(listed("tenants", `{"name":"%s"}`, want), `{tenants`+filter+`{nodes{name} totalCount}}`)
		}
		names(``, "contoso", "fabrikam")
		names(`(orderBy:{field:NAME,direction:DESC})`, "fabrikam", "contoso")
		names(`(filter:{search:"CONT"})`, "contoso")
		names(`(filter:{search:"%"})`)
		names(`(filter:{sensitive:true})`, "fabrikam")
		names(`(filter:{lifecycles:[NOT_PROTECTED,PAUSED]})`, "contoso", "fabrikam")
		names(`(filter:{lifecycles:[PAUSED]})`)
		names(`(filter:{ids:["`+a.ID+`"]})`, "contoso")
		names(`(filter:{ids:["0F3C6A4E-1B2D-4C5E-8F90-123456789ABC","x"]})`, "contoso")
		names(`(filter:{ids:["x"]})`)
		names(`(filter:{ids:[]})`)

		mary, _ := w.account(a, "mary@contoso.example"), w.account(b, "8a1c")
		w.expect(`{"accounts":{"nodes":[
			{"principal":"8a1c","userPrincipalName":null,"kind":"MEMBER","tenant":{"name":"fabrikam"}},
			{"principal":"mary@contoso.example","userPrincipalName":"mary@contoso.example","kind":"MEMBER","tenant":{"name":"contoso"}}]}}`,
			`{accounts{nodes{principal userPrincipalName kind tenant{name}}}}`)
		for _, f := range []string{`tenantIds:["` + a.ID + `"]`, `tenantIds:["` + microsoftID + `"]`, `search:"MARY"`, `search:"y@c",kinds:[MEMBER]`} {
			w.expect(`{"accounts":{"totalCount":1,"nodes":[{"id":"`+mary.ID+`"}]}}`, `{accounts(filter:{`+f+`}){totalCount nodes{id}}}`)
		}
		for _, f := range []string{`tenantIds:[]`, `kinds:[GUEST]`, `search:"_"`} {
			w.expect(`{"accounts":{"totalCount":0,"nodes":[]}}`, `{accounts(filter:{`+f+`}){totalCount nodes{id}}}`)
		}
	})
}

// Ensure every filter of incidents narrows, and orders order.
func TestIncidents(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		a, b := w.tenant("contoso", microsoftID), w.tenant("fabrikam", "")
		mary := w.account(a, "mary@contoso.example")
		one := w.incident(a, mary, 1, func(c *ent.IncidentCreate) { c.SetTitle("Inbox rule 100% hostile") })
		w.incident(b, nil, 2, func(c *ent.IncidentCreate) {
			c.SetKind("LEFTOVER_PERSISTENCE").SetStatus("FALSE_POSITIVE").SetSeverity("LOW").SetSeverityRank(1).SetPublished(false).SetIsLive(false).
				SetOccurredAt(now.Add(-48 * time.Hour)).SetDetectedAt(now.Add(-24 * time.Hour)).SetPreviousID(one.ID).SetStatusReason("a test")
		})
		for filter, want := range map[string]string{
			``:                                         `1,2`,
			`tenantIds:["` + a.ID + `"]`:               `1`,
			`tenantIds:["` + microsoftID + `"]`:        `1`,
			`tenantIds:["tenant_x"]`:                   ``,
			`tenantIds:[]`:                             ``,
			`kinds:[LEFTOVER_PERSISTENCE]`:             `2`,
			`kinds:[]`:                                 ``,
			`statuses:[OPEN,CONTAINED]`:                `1`,
			`severities:[LOW,CRITICAL]`:                `2`,
			`accountIds:["` + mary.ID + `"]`:           `1`,
			`accountIds:["x"]`:                         ``,
			`published:false`:                          `2`,
			`isLive:true`:                              `1`,
			`occurredAt:{from:"2026-03-09T00:00:00Z"}`: `1`,
			`occurredAt:{to:"2026-03-09T00:00:00Z"}`:   `2`,
			`detectedAt:{from:"2026-03-09T12:00:00Z",to:"2026-03-10T11:00:00Z"}`: `2`,
			`detectedAt:{from:"2026-03-10T13:00:00+02:00"}`:                      `1`,
			`search:"inbox RULE"`:         `1`,
			`search:"100%"`:               `1`,
			`search:"1_0"`:                ``,
			`search:"#2"`:                 `2`,
			`search:"because"`:            `1,2`,
			`isLive:true,published:false`: ``,
		} {
			w.expectNumbers(want, `(filter:{`+filter+`})`)
		}
		for order, want := range map[string]string{
			`DETECTED_AT,direction:ASC`: `2,1`, `OCCURRED_AT`: `1,2`, `SEVERITY`: `1,2`, `SEVERITY,direction:ASC`: `2,1`, `NUMBER`: `2,1`,
		} {
			w.expectNumbers(want, `(orderBy:{field:`+order+`})`)
		}
		w.expect(`{"incidents":{"nodes":[{"number":1,"title":"Inbox rule 100% hostile","kind":"ACCOUNT_COMPROMISE","severity":"HIGH","status":"OPEN","statusReason":null,
			"published":true,"isLive":true,"account":{"principal":"mary@contoso.example"},"tenant":{"name":"contoso"},"occurredAt":"2026-03-10T10:00:00Z",
			"detectedAt":"2026-03-10T11:00:00Z","containedAt":null,"remediatedAt":null,"dwellTime":"PT2H","explanation":"Because.","previous":null,"mergedInto":null},
			{"number":2,"title":"Incident number 2","kind":"LEFTOVER_PERSISTENCE","severity":"LOW","status":"FALSE_POSITIVE","statusReason":"a test","published":false,
			"isLive":false,"account":null,"tenant":{"name":"fabrikam"},"occurredAt":"2026-03-08T12:00:00Z","detectedAt":"2026-03-09T12:00:00Z","containedAt":null,
			"remediatedAt":null,"dwellTime":null,"explanation":"Because.","previous":{"number":1},"mergedInto":null}]}}`,
			`{incidents{nodes{number title kind severity status statusReason published isLive account{principal} tenant{name} occurredAt detectedAt containedAt
			remediatedAt dwellTime explanation previous{number} mergedInto{number}}}}`)
	})
}

func (w world) expectNumbers(want, arguments string) {
	w.Helper()
	if arguments == `(filter:{})` {
		arguments = ``
	}
	w.expect(listed("incidents", `{"number":%s}`, split(want)), `{incidents`+arguments+`{nodes{number} totalCount}}`)
}

// split parts a list written with commas.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// listed is the answer that has these nodes and no others.
func listed(field, node string, values []string) string {
	nodes := make([]string, len(values))
	for i, v := range values {
		nodes[i] = fmt.Sprintf(node, v)
	}
	return fmt.Sprintf(`{%q:{"nodes":[%s],"totalCount":%d}}`, field, strings.Join(nodes, ","), len(values))
}

// Ensure findings, evidence and timeline tell what happened, oldest first.
func TestFindingsAndTimeline(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		mary := w.account(tn, "mary@contoso.example")
		late := w.activity(tn, mary, "late", now.Add(-time.Minute), nil)
		early := w.activity(tn, mary, "early", now.Add(-3*time.Hour), nil)
		i := w.incident(tn, mary, 1, nil)
		w.finding(i, "second", now.Add(-time.Minute), early, late)
		first := w.finding(i, "first", now.Add(-3*time.Hour), early)
		w.write(func(ctx context.Context, c *ent.Client) error {
			return c.Finding.UpdateOne(first).SetSupersededAt(now).Exec(ctx)
		})

		w.expect(`{"node":{"number":1,"findings":{"totalCount":2,"nodes":[
			{"explanation":"first","rule":"inbox-rule","severity":"HIGH","confidence":"HIGH","stage":"HOLD","targets":["mailbox"],"supersededAt":"2026-03-10T12:00:00Z",
			 "account":{"id":"`+mary.ID+`"},"incident":{"number":1},"evidence":{"totalCount":1,"nodes":[{"userAgent":"early"}]}},
			{"explanation":"second","rule":"inbox-rule","severity":"HIGH","confidence":"HIGH","stage":"HOLD","targets":["mailbox"],"supersededAt":null,
			 "account":{"id":"`+mary.ID+`"},"incident":{"number":1},"evidence":{"totalCount":2,"nodes":[{"userAgent":"early"},{"userAgent":"late"}]}}]}}}`,
			`query($id:ID!){node(id:$id){... on Incident{number findings{totalCount nodes{explanation rule severity confidence stage targets supersededAt
			account{id} incident{number} evidence{totalCount nodes{userAgent}}}}}}}`, "id", i.ID)
		w.expect(`{"node":{"timeline":{"totalCount":3,"nodes":[
			{"occurredAt":"2026-03-10T09:00:00Z","id":"`+typeid.Derived("evidence", i.ID, early.ID)+`","activity":{"userAgent":"early","account":{"principal":"mary@contoso.example"}},
			 "findings":[{"explanation":"first"},{"explanation":"second"}]},
			{"occurredAt":"2026-03-10T11:00:00Z","kind":"OPENED","text":"opened","principal":"Cairn","incident":{"number":1},"finding":null},
			{"occurredAt":"2026-03-10T11:59:00Z","id":"`+typeid.Derived("evidence", i.ID, late.ID)+`","activity":{"userAgent":"late","account":{"principal":"mary@contoso.example"}},
			 "findings":[{"explanation":"second"}]}]}}}`,
			`query($id:ID!){node(id:$id){... on Incident{timeline{totalCount nodes{occurredAt
			... on TimelineEvidence{id activity{userAgent account{principal}} findings{explanation}}
			... on IncidentEvent{kind text principal incident{number} finding{id}}}}}}}`, "id", i.ID)
	})
}

// Ensure activities are found by every filter and shown with nulls for what a record does not say.
func TestActivities(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", microsoftID)
		mary := w.account(tn, "mary@contoso.example")
		w.activity(tn, mary, "a", now.Add(-time.Hour), func(a *activity.Activity) {
			a.Source, a.Operation, a.Result = activity.SourceSignIn, "UserLoginFailed", activity.ResultFailure
			a.Address, a.Country = address("2001:db8::1"), "NL"
			a.Network = activity.Network{Number: 4_200_000_000, Owner: "Example Net", Kind: activity.NetworkHosting}
			a.SessionID, a.Application.ID, a.Subject, a.Sender = "s1", "app", "Re: Invoice", "ceo@fabrikam.example"
		})
		w.activity(tn, nil, "b", now, nil)
		for filter, want := range map[string]string{
			``: `b,a`, `tenantIds:["` + microsoftID + `"]`: `b,a`, `tenantIds:["` + tn.ID + `"]`: `b,a`, `tenantIds:["x"]`: ``, `tenantIds:[]`: ``,
			`accountIds:["` + mary.ID + `"]`: `a`, `accountIds:["x"]`: ``, `accountIds:[]`: ``,
			`occurredAt:{from:"2026-03-10T12:00:00Z"}`: `b`, `occurredAt:{to:"2026-03-10T12:00:00Z"}`: `a`,
			`sources:[SIGN_IN]`: `a`, `sources:[]`: ``, `operations:["UserLoginFailed."]`: `a`, `results:[SUCCESS]`: `b`,
			`countries:["nl"]`: `a`, `countriesNot:["NL"]`: `b`, `countriesNot:[]`: `b,a`, `networkKinds:[HOSTING,TOR]`: `a`, `applicationIds:["APP"]`: `a`,
			`addresses:["2001:0db8:0::1"]`: `a`, `addresses:[]`: ``, `sessionIds:["s1"]`: `a`, `subject:"INVOICE"`: `a`, `sender:"ceo@"`: `a`,
			`text:"\"b\""`: `b`,
		} {
			w.expect(listed("activities", `{"userAgent":"%s"}`, split(want)),
				`{activities(filter:{`+filter+`}){nodes{userAgent} totalCount}}`)
		}
		w.expect(`{"activities":{"nodes":[
			{"source":"SIGN_IN","operation":"UserLoginFailed","result":"FAILURE","errorCode":null,"account":{"principal":"mary@contoso.example"},"tenant":{"name":"contoso"},
			"ipAddress":"2001:db8::1","country":"NL","network":{"number":4200000000,"owner":"Example Net","kind":"HOSTING"},"sessionId":"s1",
			"application":{"id":"app","name":null},"subject":"Re: Invoice","raw":{"Agent":"a"},"parameters":[],"modifications":[],"device":{"id":null,"managed":false}},
			{"source":"UNIFIED_AUDIT","operation":"New-InboxRule","result":"SUCCESS","errorCode":null,"account":null,"tenant":{"name":"contoso"},
			"ipAddress":null,"country":null,"network":{"number":null,"owner":null,"kind":"UNKNOWN"},"sessionId":null,
			"application":{"id":null,"name":null},"subject":null,"raw":{"Agent":"b"},"parameters":[],"modifications":[],"device":{"id":null,"managed":false}}]}}`,
			`{activities(filter:{},orderBy:{field:OCCURRED_AT,direction:ASC}){nodes{source operation result errorCode account{principal} tenant{name} ipAddress country
			network{number owner kind} sessionId application{id name} subject raw parameters{name value} modifications{name old new} device{id managed}}}}`)
	})
}

// Ensure failed attacks are added up within scope, tenants and whole days.
func TestFailedAttacks(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		a, b := w.tenant("contoso", microsoftID), w.tenant("fabrikam", "")
		mary, bob := w.account(a, "mary@contoso.example"), w.account(b, "bob@fabrikam.example")
		day := now.Truncate(24 * time.Hour)
		n := 0
		add := func(tn *ent.Tenant, account string, at time.Time, tactic, country string, attempts int, known bool) {
			n++
			w.write(func(ctx context.Context, c *ent.Client) error {
				return c.FailedAttack.Create().SetOrganizationID(w.org.ID).SetTenantID(tn.ID).SetBook(strconv.Itoa(n)).SetDay(at).
					SetTactic(detect.Tactic(tactic)).SetSource("192.0.2.0/24").SetCountry(country).SetNetworkNumber(64500).SetNetworkOwner("x").
					SetNetworkKind(activity.NetworkHosting).SetUserAgent("x").SetAccountID(account).SetAttempts(attempts).SetPasswordKnown(known).
					SetFirstAt(at).SetLastAt(at.Add(time.Hour)).Exec(ctx)
			})
		}
		add(a, mary.ID, day, "PASSWORD_SPRAY", "NL", 3, false)
		add(a, mary.ID, day.AddDate(0, 0, -1), "PASSWORD_SPRAY", "", 4, true)
		add(b, bob.ID, day.AddDate(0, 0, -29), "BRUTE_FORCE", "NL", 2, false)
		add(b, "", day.AddDate(0, 0, -29), "PASSWORD_SPRAY", "DE", 1, false)
		add(b, bob.ID, day.AddDate(0, 0, -30), "PASSWORD_SPRAY", "DE", 100, false)
		w.expect(`{"failedAttacks":{"from":"2026-02-09T00:00:00Z","to":"2026-03-11T00:00:00Z","total":10,
			"byDay":[{"day":"2026-02-09T00:00:00Z","attempts":3},{"day":"2026-03-09T00:00:00Z","attempts":4},{"day":"2026-03-10T00:00:00Z","attempts":3}],
			"byCountry":[{"country":"NL","attempts":5},{"country":null,"attempts":4},{"country":"DE","attempts":1}],
			"byTactic":[{"tactic":"PASSWORD_SPRAY","attempts":8},{"tactic":"BRUTE_FORCE","attempts":2}],
			"topAccounts":[{"account":{"principal":"mary@contoso.example"},"attempts":7,"passwordKnown":true,"lastAt":"2026-03-10T01:00:00Z"},
			{"account":{"principal":"bob@fabrikam.example"},"attempts":2,"passwordKnown":false,"lastAt":"2026-02-09T01:00:00Z"}]}}`,
			`{failedAttacks{from to total byDay{day attempts} byCountry{country attempts} byTactic{tactic attempts}
			topAccounts{account{principal} attempts passwordKnown lastAt}}}`)
		for filter, want := range map[string]int{
			`tenantIds:["` + microsoftID + `"]`: 7, `tenantIds:[]`: 0, `tenantIds:["x"]`: 0,
			`period:{from:"2026-02-08T13:00:00Z"}`: 110, `period:{from:"2026-03-10T13:00:00Z"}`: 3,
			`period:{to:"2026-03-10T00:00:00Z"}`: 107, `period:{from:"2026-03-09T00:00:00Z",to:"2026-03-09T00:00:01Z"}`: 4,
		} {
			w.expect(fmt.Sprintf(`{"failedAttacks":{"total":%d}}`, want), `{failedAttacks(filter:{`+filter+`}){total}}`)
		}
		require.Equal(w, "BAD_USER_INPUT", w.ask(`{failedAttacks{topAccounts(first:101){attempts}}}`).code(w))
	})
}

// Ensure every kind of object is found by its id, and nothing else is.
func TestNodes(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		tn := w.tenant("contoso", "")
		mary := w.account(tn, "mary@contoso.example")
		act := w.activity(tn, mary, "a", now, nil)
		i := w.incident(tn, mary, 1, nil)
		f := w.finding(i, "f", now, act)
		event, err := w.db.Client().IncidentEvent.Query().Only(w.ctx)
		require.NoError(w, err)
		ids := []string{f.ID, "tenant_unknown", w.org.ID, tn.ID, mary.ID, act.ID, i.ID, event.ID, f.ID, microsoftID, ""}
		w.expect(fmt.Sprintf(`{"nodes":[
			{"__typename":"Finding","id":%q},null,{"__typename":"Organization","id":%q},{"__typename":"Tenant","id":%q},{"__typename":"Account","id":%q},
			{"__typename":"Activity","id":%q},{"__typename":"Incident","id":%q},{"__typename":"IncidentEvent","id":%q},{"__typename":"Finding","id":%q},null,null]}`,
			f.ID, w.org.ID, tn.ID, mary.ID, act.ID, i.ID, event.ID, f.ID),
			`query($ids:[ID!]!){nodes(ids:$ids){__typename id}}`, "ids", ids)
		require.Equal(w, "BAD_USER_INPUT", w.ask(`query($ids:[ID!]!){nodes(ids:$ids){id}}`, "ids", make([]string, 101)).code(w))
	})
}

// Ensure mutations change what they say, refuse what they must, and are seen by what follows in one request.
func TestMutations(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		w.expect(`{"createTenant":{"tenant":{"name":"contoso","microsoftTenantId":"`+microsoftID+`","lifecycle":"NOT_PROTECTED"},"userErrors":[]}}`,
			`mutation{createTenant(input:{name:" contoso ",microsoftTenantId:"`+microsoftID+`"}){tenant{name microsoftTenantId lifecycle} userErrors{code}}}`)
		w.expect(`{"createTenant":{"tenant":null,"userErrors":[{"code":"TAKEN","field":["name"],"message":"another tenant is named \"Contoso\""}]}}`,
			`mutation{createTenant(input:{name:"Contoso"}){tenant{name} userErrors{code field message}}}`)
		w.expect(`{"createTenant":{"userErrors":[{"code":"INVALID","field":["microsoftTenantId"]}]}}`,
			`mutation{createTenant(input:{name:"x",microsoftTenantId:"y"}){userErrors{code field}}}`)
		w.expect(`{"updateTenant":{"tenant":null,"userErrors":[{"code":"NOT_FOUND","field":["id"]}]}}`,
			`mutation{updateTenant(input:{id:"tenant_x"}){tenant{id} userErrors{code field}}}`)
		w.expect(`{"updateTenant":{"tenant":{"name":"Contoso Ltd","sensitive":true},"userErrors":[]}}`,
			`mutation{updateTenant(input:{id:"`+microsoftID+`",name:"Contoso Ltd",sensitive:true}){tenant{name sensitive} userErrors{code}}}`)
		tn, err := w.db.Client().Tenant.Query().Only(w.ctx)
		require.NoError(w, err)
		i := w.incident(tn, nil, 1, nil)
		w.expect(`{"updateIncident":{"incident":{"status":"CONTAINED","statusReason":"locked","containedAt":"2026-03-10T12:00:00Z","dwellTime":"PT2H","tenant":{"name":"Contoso Ltd"}},"userErrors":[]},
			"updateTenant":{"tenant":{"name":"New"}},"again":{"incident":{"status":"REMEDIATED","tenant":{"name":"New"},"timeline":{"totalCount":3}},"userErrors":[]}}`,
			`mutation($id:ID!){updateIncident(input:{id:$id,status:CONTAINED,reason:"locked"}){incident{status statusReason containedAt dwellTime tenant{name}} userErrors{code}}
			updateTenant(input:{id:"`+tn.ID+`",name:"New"}){tenant{name}}
			again:updateIncident(input:{id:$id,status:REMEDIATED,reason:"clean"}){incident{status tenant{name} timeline{totalCount}} userErrors{code}}}`, "id", i.ID)
		w.expect(`{"updateIncident":{"incident":null,"userErrors":[{"code":"INVALID","field":["reason"]}]}}`,
			`mutation($id:ID!){updateIncident(input:{id:$id,status:OPEN,reason:" "}){incident{id} userErrors{code field}}}`, "id", i.ID)
		w.expect(`{"updateIncident":{"userErrors":[{"code":"NOT_FOUND","field":["id"]}]}}`,
			`mutation{updateIncident(input:{id:"x",status:OPEN,reason:"y"}){userErrors{code field}}}`)
	})
}
