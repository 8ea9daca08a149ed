package collect_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/collector"
	enttenant "github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
	"github.com/cairn-itdr/cairn/internal/work"
)

const (
	clientID = "11111111-0000-4000-8000-000000000001"
	secret   = "a-secret~that.must-stay_ours"
)

var noon = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

var networks = sync.OnceValues(func() (*intel.Tables, error) { return intel.Open("") })

// watch is an MSP with Cairn, and the Microsoft cloud of its tenants.
type watch struct {
	*testing.T

	db      *database.DB
	ctx     context.Context
	cloud   *microsoft.Cloud
	clock   *psa.Clock
	log     *activitylog.Log
	work    *work.Runner
	collect *collect.Service
	url     string // where Entra sends people back to
}

func each(t *testing.T, test func(w *watch)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newWatch(t, db)) })
}

func newWatch(t *testing.T, db *database.DB) *watch {
	t.Helper()
	w := &watch{T: t, db: db, clock: psa.NewClock(noon, 0, time.Now)}
	w.ctx, _ = databasetest.Organization(t, db, "MSP")
	var err error
	w.cloud, err = microsoft.Start(t.Context(), "127.0.0.1:0", microsoft.Options{
		World: simulator.New(simulator.Config{Seed: 7}), Clock: w.clock, Late: &microsoft.Lateness{},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.cloud.Close()) })
	callback := httptest.NewServer(http.HandlerFunc(w.callback))
	t.Cleanup(callback.Close)
	w.url = callback.URL
	public := microsoft365.Public()
	audiences := map[string]string{
		microsoft365.APIGraph: public.Graph.Audience, microsoft365.APIManagement: public.Management.Audience, microsoft365.APIExchange: public.Exchange.Audience,
	}
	asked := map[string][]string{}
	for _, p := range microsoft365.Asked(microsoft365.LevelDetection) {
		asked[audiences[p.API]] = append(asked[audiences[p.API]], p.Name)
	}
	w.cloud.Register(microsoft.App{
		ClientID: clientID, Name: "Cairn", Secret: secret, Permissions: asked, TellRoles: true,
		Redirects: []string{w.url + collect.ConsentPath, w.url + collect.SignInPath},
	})
	w.start()
	return w
}

// start builds the service anew, as a process that starts does.
func (w *watch) start() {
	w.Helper()
	logger := slog.New(slog.DiscardHandler)
	app, err := microsoft365.New(microsoft365.Config{
		ClientID: clientID, Secret: secret, Endpoints: microsoft365.At(w.cloud.Address()), Client: w.cloud.Client(), Now: w.clock.Now,
	})
	require.NoError(w, err)
	w.log = activitylog.New(w.db, func(shape string, raw []byte) (activity.Activity, error) { return format.ShapeByName(shape).Parse(raw) })
	tables, err := networks()
	require.NoError(w, err)
	in := intake.New(w.db, detect.Standard(), incident.New(w.db, w.clock.Now), w.log, tables, w.clock.Now)
	feed := change.New(w.db, w.clock.Now)
	w.work = work.New(work.Config{DB: w.db, Signals: feed, Now: w.clock.Now, Logger: logger})
	pace := collect.StandardPace
	pace.Window = 10 * 24 * time.Hour
	w.collect = collect.New(collect.Config{
		DB: w.db, Work: w.work, Feed: feed, Intake: func() (collect.Intake, error) { return in, nil }, Detection: app,
		Link: func(path string) string { return w.url + path }, Pace: pace, Now: w.clock.Now, Logger: logger,
	})
	w.collect.Register()
}

// callback is what a server does with the people whom Entra sends back.
func (w *watch) callback(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == collect.ConsentPath {
		signIn, err := w.collect.Consented(r.Context(), r.URL.Query())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(rw, r, signIn, http.StatusSeeOther)
		return
	}
	name, err := w.collect.SignedIn(r.Context(), r.URL.Query())
	if err != nil {
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	_, _ = io.WriteString(rw, "connected "+name)
}

// tenant is one of the MSP's, of which Cairn knows the name alone.
func (w *watch) tenant(of *microsoft.Tenant) *ent.Tenant {
	w.Helper()
	return databasetest.Tenant(w.ctx, w.T, w.db, strings.ToLower(of.World().Name))
}

func admin(of *microsoft.Tenant) string {
	i := slices.IndexFunc(of.World().Accounts, func(a *simulator.Account) bool { return a.Administrator })
	return of.World().Accounts[i].UserPrincipalName
}

// visit follows a link as somebody and returns what is shown at its end.
func (w *watch) visit(link, who string, of *microsoft.Tenant) (int, string) {
	w.Helper()
	w.cloud.Visit(microsoft.Visitor{Tenant: of, Account: who})
	res, err := w.cloud.Client().Get(link)
	require.NoError(w, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	return res.StatusCode, string(text)
}

func (w *watch) connect(t *ent.Tenant, of *microsoft.Tenant) {
	w.Helper()
	link, err := w.collect.Connect(w.ctx, t.ID, microsoft365.LevelDetection)
	require.NoError(w, err)
	status, text := w.visit(link.URL, admin(of), of)
	require.Equal(w, http.StatusOK, status, text)
	require.Contains(w, text, t.Name)
}

// drain reads what is due, some polls long.
func (w *watch) drain(polls int) {
	w.Helper()
	for range polls {
		require.NoError(w, w.work.Drain(context.Background(), collect.Queue))
		w.clock.Advance(time.Minute)
	}
}

func (w *watch) collectors(t *ent.Tenant) map[collector.Source]*ent.Collector {
	w.Helper()
	list, err := w.db.Client().Collector.Query().Where(collector.TenantID(t.ID)).All(w.ctx)
	require.NoError(w, err)
	out := map[collector.Source]*ent.Collector{}
	for _, c := range list {
		out[c.Source] = c
	}
	return out
}

// Ensure a tenant that consents is proven, read from its past on, and watched:
// every record the cloud tells is stored once, whatever comes twice or late, and
// its accounts are those of the directory.
func TestConnectedTenantIsRead(t *testing.T) {
	t.Parallel()
	each(t, func(w *watch) {
		of := w.cloud.Tenants()[0]
		of.Live(noon.Add(-9 * 24 * time.Hour))
		of.Duplicate(true)
		of.RepeatPages(2)
		row := w.tenant(of)
		w.connect(row, of)
		w.drain(3)
		got, err := w.db.Client().Tenant.Get(w.ctx, row.ID)
		require.NoError(w, err)
		require.Equal(w, of.ID, *got.MicrosoftTenantID)
		require.Equal(w, enttenant.LifecycleMonitoring, got.Lifecycle, "nine days of sign-ins have taught enough")
		for source, c := range w.collectors(row) {
			require.Nil(w, c.FailingSince, "%s: %s", source, c.LastError)
			require.NotNil(w, c.CaughtUpAt, source)
			require.Zero(w, c.Rejected, source)
		}
		accounts, err := w.db.Client().Account.Query().Where(account.TenantID(row.ID), account.ObjectIDNEQ("")).Count(w.ctx)
		require.NoError(w, err)
		require.GreaterOrEqual(w, accounts, len(of.World().Accounts))

		// A process dies in the middle, tokens die, places are forgotten; life goes on.
		w.cloud.KillTokens()
		of.ForgetDeltas()
		w.start()
		w.clock.Advance(3 * time.Hour)
		w.drain(4)
		n, err := w.log.Count(w.ctx, activitylog.Filter{TenantIDs: []string{row.ID}, Sources: []activity.Source{activity.SourceSignIn}})
		require.NoError(w, err)
		require.Len(w, of.Issued(simulator.SignIns), n, "each sign-in once")
		require.Positive(w, w.collectors(row)[collector.SourceAuditExchange].Records, "the audit log is read from the consent on")
	})
}

// Ensure what keeps a source from being read is told and retried, holds the
// others up by nothing, and clears itself.
func TestHealth(t *testing.T) {
	t.Parallel()
	each(t, func(w *watch) {
		of := w.cloud.Tenants()[0]
		of.SetPremium(false)
		of.SetAuditOn(false)
		row := w.tenant(of)
		w.connect(row, of)
		w.drain(2)
		reasons := map[collector.Source]string{}
		for source, c := range w.collectors(row) {
			if c.FailingSince != nil {
				reasons[source] = c.LastErrorReason
			}
		}
		off := string(microsoft365.ReasonAuditLogOff)
		require.Equal(w, map[collector.Source]string{
			collector.SourceSignIns: string(microsoft365.ReasonNotPremium), collector.SourceNonInteractiveSignIns: string(microsoft365.ReasonNotPremium),
			collector.SourceAuditEntra: off, collector.SourceAuditExchange: off, collector.SourceAuditSharePoint: off, collector.SourceAuditGeneral: off,
		}, reasons)
		of.SetPremium(true)
		of.SetAuditOn(true)
		w.drain(3)
		w.clock.Advance(time.Hour)
		w.drain(3)
		for source, c := range w.collectors(row) {
			require.Nil(w, c.FailingSince, "%s: %s", source, c.LastError)
		}
		of.Withdraw(clientID)
		w.cloud.KillTokens()
		w.drain(3)
		require.Equal(w, string(microsoft365.ReasonConsent), w.collectors(row)[collector.SourceDirectory].LastErrorReason)
	})
}

// Ensure nobody connects what is not theirs: each wrong way is named, and tells
// a stranger nothing.
func TestConsentRefused(t *testing.T) {
	t.Parallel()
	each(t, func(w *watch) {
		of, another := w.cloud.Tenants()[0], w.cloud.Tenants()[1]
		row := w.tenant(of)
		link, err := w.collect.Connect(w.ctx, row.ID, microsoft365.LevelDetection)
		require.NoError(w, err)
		plain := slices.IndexFunc(of.World().Accounts, func(a *simulator.Account) bool { return !a.Administrator && !a.Automation })
		status, _ := w.visit(link.URL, of.World().Accounts[plain].UserPrincipalName, of)
		require.NotEqual(w, http.StatusOK, status, "no administrator")

		status, text := w.visit(link.URL, admin(of), of)
		require.Equal(w, http.StatusOK, status, text)
		status, _ = w.visit(link.URL, admin(of), of)
		require.Equal(w, http.StatusForbidden, status, "a second time")

		// An administrator of another directory may not answer for a bound tenant.
		link, err = w.collect.Connect(w.ctx, row.ID, microsoft365.LevelDetection)
		require.NoError(w, err)
		status, _ = w.visit(link.URL, admin(another), another)
		require.NotEqual(w, http.StatusOK, status)

		for _, forged := range []string{"", "state=x", "state=" + strings.Repeat("A", 43) + "&tenant=" + of.ID + "&admin_consent=True"} {
			query, err := url.ParseQuery(forged)
			require.NoError(w, err)
			_, err = w.collect.Consented(w.ctx, query)
			require.ErrorIs(w, err, collect.ErrRequest)
			_, err = w.collect.SignedIn(w.ctx, query)
			require.ErrorIs(w, err, collect.ErrRequest)
		}

		// A directory is watched by one organization.
		stranger, _ := databasetest.Organization(w.T, w.db, "MSP Two")
		theirs := databasetest.Tenant(stranger, w.T, w.db, "claimed")
		_, err = w.collect.Connect(w.ctx, theirs.ID, microsoft365.LevelDetection)
		require.Equal(w, refusal.NotFound, refusal.From(err).Code)
		link, err = w.collect.Connect(stranger, theirs.ID, microsoft365.LevelDetection)
		require.NoError(w, err)
		status, text = w.visit(link.URL, admin(of), of)
		require.Equal(w, http.StatusForbidden, status)
		require.Contains(w, text, "connected elsewhere")
		require.NotContains(w, text, "MSP")

		_, err = w.collect.Connect(w.ctx, row.ID, microsoft365.LevelResponse)
		require.Equal(w, refusal.Conflict, refusal.From(err).Code, "no such application here")
	})
}
