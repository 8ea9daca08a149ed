package graph_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/graph"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/tenant"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/work"
)

// now is the clock of every test.
var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// world is an API over a database, and one organization to call it as.
type world struct {
	*testing.T

	db   *database.DB
	log  *activitylog.Log
	url  string
	logs *bytes.Buffer

	ctx   context.Context
	org   *ent.Organization
	scope *access.Scope // nil: the request carries none
}

// each runs a test on both databases.
func each(t *testing.T, test func(w world)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newWorld(t, db, nil)) })
}

// reread stands in for the format package: these tests do not depend on it.
func reread(_ string, raw []byte) (activity.Activity, error) {
	var r struct{ Agent string }
	err := json.Unmarshal(raw, &r)
	return activity.Activity{UserAgent: r.Agent, Raw: raw}, err
}

func newWorld(t *testing.T, db *database.DB, set func(*graph.Config)) world {
	t.Helper()
	clock := func() time.Time { return now }
	logs := &bytes.Buffer{}
	cfg := graph.Config{
		DB: db, Log: activitylog.New(db, reread), Tenants: tenant.New(db, clock), Incidents: incident.New(db, clock),
		Members: member.New(db, mail.NewOutbox(clock), func(p string) string { return "https://cairn.example" + p }, clock), APIKeys: apikey.New(db, clock),
		Logger: slog.New(slog.NewTextHandler(logs, nil)), Now: clock, Introspection: true,
	}
	if set != nil {
		set(&cfg)
	}
	feed := change.New(db, clock)
	cfg.Ticketing = ticketing.New(ticketing.Config{
		DB: db, Feed: feed, Work: work.New(work.Config{DB: db, Signals: feed, Now: clock, Logger: cfg.Logger}), Vendors: []psa.Vendor{connectwise.Vendor},
		Client: http.DefaultClient, Pace: ticketing.StandardPace, Now: clock, Logger: cfg.Logger,
	})
	api := graph.NewHandler(cfg)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := graph.WithRequestID(r.Context(), "request_1")
		if o := r.Header.Get("Test-Organization"); o != "" {
			p := access.Principal{Kind: access.PrincipalAPIKey, ID: "apikey_1", Name: "test key"}
			if err := json.Unmarshal([]byte(r.Header.Get("Test-Principal")), &p); err != nil {
				panic(err)
			}
			ctx = access.With(ctx, access.Scope{OrganizationID: o, Principal: p})
		}
		api.ServeHTTP(rw, r.WithContext(ctx))
	}))
	t.Cleanup(server.Close)
	w := world{T: t, db: db, log: cfg.Log, url: server.URL, logs: logs}
	return w.as("MSP One")
}

// as returns the same API called as a new organization.
func (w world) as(name string) world {
	w.Helper()
	w.ctx, w.org = databasetest.Organization(w.T, w.db, name)
	w.scope = &access.Scope{OrganizationID: w.org.ID, Principal: access.Principal{Role: access.RoleAdmin}}
	return w
}

type answer struct {
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	Extensions struct{ Cost map[string]int }

	status int
	header http.Header
	body   string
}

// code is the code of the only error.
func (a answer) code(t testing.TB) string {
	t.Helper()
	require.Len(t, a.Errors, 1, a.body)
	require.Equal(t, "request_1", a.Errors[0].Extensions["requestId"])
	return a.Errors[0].Extensions["code"].(string)
}

func (w world) send(method, contentType, body string) answer {
	w.Helper()
	return w.sendAccepting("*/*", method, contentType, body)
}

func (w world) sendAccepting(accept, method, contentType, body string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url, bytes.NewBufferString(body))
	require.NoError(w, err)
	r.Header.Set("Accept", accept)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if w.scope != nil {
		r.Header.Set("Test-Organization", w.scope.OrganizationID)
		p := w.scope.Principal
		p.Kind, p.ID, p.Name = cmp.Or(p.Kind, access.PrincipalAPIKey), cmp.Or(p.ID, "apikey_1"), cmp.Or(p.Name, "test key")
		text, err := json.Marshal(p)
		require.NoError(w, err)
		r.Header.Set("Test-Principal", string(text))
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(w, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	out := answer{status: res.StatusCode, header: res.Header, body: string(b)}
	require.NoError(w, json.Unmarshal(b, &out), string(b))
	return out
}

// ask sends an operation; variables come as name, value pairs.
func (w world) ask(query string, variables ...any) answer {
	w.Helper()
	vars := map[string]any{}
	for i := 0; i < len(variables); i += 2 {
		vars[variables[i].(string)] = variables[i+1]
	}
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	require.NoError(w, err)
	return w.send(http.MethodPost, "application/json", string(body))
}

// get asks what must be answered without error, and returns the data.
func (w world) get(query string, variables ...any) string {
	w.Helper()
	a := w.ask(query, variables...)
	require.Empty(w, a.Errors, "%s\n%s", a.body, w.logs)
	return string(a.Data)
}

// expect asks and compares the data.
func (w world) expect(want, query string, variables ...any) {
	w.Helper()
	require.JSONEq(w, want, w.get(query, variables...))
}

func (w world) write(do func(ctx context.Context, c *ent.Client) error) {
	w.Helper()
	require.NoError(w, w.db.InTx(w.ctx, func(ctx context.Context, tx *database.Tx) error { return do(ctx, tx.Client) }))
}

func (w world) tenant(name, microsoftID string) (out *ent.Tenant) {
	w.Helper()
	w.write(func(ctx context.Context, c *ent.Client) (err error) {
		create := c.Tenant.Create().SetOrganizationID(w.org.ID).SetName(name).SetNameKey(name).SetCreatedAt(now)
		if microsoftID != "" {
			create.SetMicrosoftTenantID(microsoftID)
		}
		out, err = create.Save(ctx)
		return err
	})
	return out
}

func (w world) account(t *ent.Tenant, principal string) (out *ent.Account) {
	w.Helper()
	w.write(func(ctx context.Context, c *ent.Client) (err error) {
		out, err = c.Account.Create().SetOrganizationID(w.org.ID).SetTenantID(t.ID).SetPrincipal(principal).SetCreatedAt(now).Save(ctx)
		return err
	})
	return out
}

func (w world) activity(t *ent.Tenant, a *ent.Account, vendorID string, at time.Time, change func(*activity.Activity)) *activity.Activity {
	w.Helper()
	out := &activity.Activity{
		Source: activity.SourceUnifiedAudit, VendorID: vendorID, OccurredAt: at, Operation: "New-InboxRule",
		Result: activity.ResultSuccess, Raw: []byte(`{"Agent":"` + vendorID + `"}`),
	}
	if a != nil {
		out.AccountID = a.ID
	}
	if change != nil {
		change(out)
	}
	out.Identify(w.org.ID, t.ID)
	require.NoError(w, w.db.InTx(w.ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := w.log.Append(ctx, tx, []*activity.Activity{out}, now)
		return err
	}))
	return out
}

// incident makes an incident that was opened an hour ago, and an event of it.
func (w world) incident(t *ent.Tenant, a *ent.Account, n int, change func(*ent.IncidentCreate)) (out *ent.Incident) {
	w.Helper()
	w.write(func(ctx context.Context, c *ent.Client) (err error) {
		create := c.Incident.Create().SetOrganizationID(w.org.ID).SetTenantID(t.ID).SetNumber(n).
			SetTitle(fmt.Sprintf("Incident number %d", n)).SetKind("ACCOUNT_COMPROMISE").SetSeverity("HIGH").SetSeverityRank(3).
			SetExplanation("Because.").SetIsLive(true).SetOccurredAt(now.Add(-2 * time.Hour)).SetLastActivityAt(now.Add(-2 * time.Hour)).
			SetDetectedAt(now.Add(-time.Hour)).SetRevision(1).SetUpdatedAt(now)
		if a != nil {
			create.SetAccountID(a.ID)
		}
		if change != nil {
			change(create)
		}
		if out, err = create.Save(ctx); err != nil {
			return err
		}
		return c.IncidentEvent.Create().SetOrganizationID(w.org.ID).SetTenantID(t.ID).SetIncidentID(out.ID).
			SetSequence(1).SetAt(now.Add(-time.Hour)).SetKind("OPENED").SetPrincipal("Cairn").SetText("opened").Exec(ctx)
	})
	return out
}

func (w world) finding(i *ent.Incident, key string, at time.Time, evidence ...*activity.Activity) (out *ent.Finding) {
	w.Helper()
	var ids []string
	for _, a := range evidence {
		ids = append(ids, a.ID)
	}
	w.write(func(ctx context.Context, c *ent.Client) (err error) {
		out, err = c.Finding.Create().SetOrganizationID(w.org.ID).SetTenantID(i.TenantID).SetNillableAccountID(i.AccountID).
			SetIncidentID(i.ID).SetNaturalKey(key).SetBook("b").SetRule("inbox-rule").SetSeverity(detect.SeverityHigh).
			SetConfidence(detect.ConfidenceHigh).SetStage(detect.StageHold).SetTargets([]string{"mailbox"}).
			SetOccurredAt(at).SetLastAt(at).SetEvidence(ids).SetExplanation(key).SetLinks([]string{}).SetDetectedAt(now).SetIsLive(true).Save(ctx)
		return err
	})
	return out
}

// psaConnection is one of the organization's, made once.
func (w world) psaConnection() (out *ent.PSAConnection) {
	w.Helper()
	w.write(func(ctx context.Context, c *ent.Client) (err error) {
		if out, err = c.PSAConnection.Query().First(ctx); ent.IsNotFound(err) {
			out, err = c.PSAConnection.Create().SetOrganizationID(w.org.ID).SetKind("CONNECTWISE").SetAccount("na.example/alpinemsp").SetName("desk").
				SetFields(map[string]string{}).SetCredentials([]byte{1}).SetSettings(map[string]string{}).SetCallsPerMinute(60).
				SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
		}
		return err
	})
	return out
}

func address(s string) netip.Addr { return netip.MustParseAddr(s) }
