package ticketing_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/autotask"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/integrations/psa/halopsa"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulatedautotask "github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
	simulatedconnectwise "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
	simulatedhalopsa "github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// simulation is a simulated PSA, whichever it is.
type simulation interface {
	http.Handler
	simulator.People
	Remark(id int, text, who string) error
	SetFaults(all ...simulator.Fault)
	Deliver(ctx context.Context)
}

// instance is one that runs, and what a person enters to connect it.
type instance struct {
	simulation

	vendor psa.Vendor
	fields map[string]string
	// callbacks has its calls go wrong; expire ends its key, and returns what to
	// enter instead.
	callbacks func(simulator.CallbackFaults)
	expire    func() map[string]string

	described  psa.Description // by form
	connection *ent.PSAConnection
}

// instances are one of each product: the only place where they differ.
func instances(t testing.TB, now func() time.Time, calls *http.Client) []*instance {
	t.Helper()
	run := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	cw := simulatedconnectwise.New(simulatedconnectwise.Config{Now: now, Client: calls, Seed: 7})
	cwURL := run(cw)
	cw.SetAddress(cwURL)
	halo := simulatedhalopsa.New(simulatedhalopsa.Config{Now: now, Client: calls, Seed: 8})
	at := simulatedautotask.New(simulatedautotask.Config{Now: now, Client: calls, Seed: 9})
	return []*instance{
		{
			simulation: cw, vendor: connectwise.Vendor,
			fields: map[string]string{
				"site": cwURL, "companyId": simulatedconnectwise.DemoCompanyID, "publicKey": simulatedconnectwise.DemoPublicKey,
				"privateKey": simulatedconnectwise.DemoPrivateKey, "clientId": simulatedconnectwise.DemoClientID,
			},
			callbacks: func(f simulator.CallbackFaults) {
				cw.Behave(func(b *simulatedconnectwise.Behaviour) { b.Callbacks, b.NotesTouch = f, true })
			},
			expire: func() map[string]string {
				cw.SetPrivateKey("another")
				return map[string]string{"privateKey": "another"}
			},
		},
		{
			simulation: halo, vendor: halopsa.Vendor,
			fields: map[string]string{"site": run(halo), "clientId": simulatedhalopsa.DemoClientID, "clientSecret": simulatedhalopsa.DemoClientSecret},
			callbacks: func(f simulator.CallbackFaults) {
				halo.Behave(func(b *simulatedhalopsa.Behaviour) { b.Webhooks, b.BatchedWebhooks, b.Racing = f, true, true })
			},
			expire: func() map[string]string {
				halo.SetClientSecret("another")
				halo.EndTokens()
				return map[string]string{"clientSecret": "another"}
			},
		},
		{
			simulation: at, vendor: autotask.Vendor,
			fields: map[string]string{
				"userName": simulatedautotask.DemoUserName, "secret": simulatedautotask.DemoSecret,
				"integrationCode": simulatedautotask.DemoIntegrationCode, "site": run(at),
			},
			callbacks: func(f simulator.CallbackFaults) { at.Behave(func(b *simulatedautotask.Behaviour) { b.Webhooks = f }) },
			expire:    func() map[string]string { at.SetSecret("another"); return map[string]string{"secret": "another"} },
		},
	}
}

// whole is an adapter with all that adapters can do.
type whole interface {
	psa.Adapter
	psa.ChangeLister
	psa.CallbackReceiver
}

// lifted is an adapter whose budget of calls is lifted: a test has no hours.
type lifted struct{ whole }

func (l lifted) Describe() psa.Description {
	d := l.whole.Describe()
	d.Limits.PerHour = 0
	return d
}

// unhurried are the vendors of instances, with their budgets lifted.
func unhurried(all []*instance) []psa.Vendor {
	var out []psa.Vendor
	for _, i := range all {
		v := i.vendor
		v.New = func(fields map[string]string, client *http.Client, now func() time.Time) (psa.Adapter, error) {
			a, err := i.vendor.New(fields, client, now)
			if err != nil {
				return nil, err
			}
			return lifted{a.(whole)}, nil
		}
		out = append(out, v)
	}
	return out
}

// form is what a person enters and chooses to connect an instance: of all that
// must be chosen the first that fits, in whatever product.
func (i *instance) form(t testing.TB) ticketing.Connect {
	t.Helper()
	ctx := context.Background()
	a, err := i.vendor.New(i.fields, &http.Client{}, time.Now)
	require.NoError(t, err)
	i.described = a.Describe()
	out := ticketing.Connect{Kind: i.vendor.Kind, Name: i.vendor.Name, Fields: i.fields, CallsPerMinute: 60_000, Settings: map[ticketing.Setting]string{}}
	companies, _, err := a.Companies(ctx, "", "")
	require.NoError(t, err)
	for _, c := range companies {
		if c.Active {
			out.DefaultCompany = c.ID
		}
	}
	for _, d := range a.Describe().Settings {
		said := d.Setting == psa.SettingStatus || d.Setting == psa.SettingPriority || d.Setting == psa.SettingBoard
		if d.Kind != psa.KindChoice || !d.Required && !said {
			continue
		}
		offered, err := a.Choices(ctx, d.Setting, out.Settings[ticketing.Setting(d.Within)])
		require.NoError(t, err)
		first := func(fits func(psa.Choice) bool) string {
			for _, c := range offered {
				if !c.Inactive && fits(c) {
					return c.ID
				}
			}
			return ""
		}
		open, closed := first(func(c psa.Choice) bool { return !c.Closed }), first(func(c psa.Choice) bool { return c.Closed })
		switch {
		case d.Use == psa.UseNote:
			out.Settings[ticketing.Setting(d.Setting)+"_INTERNAL"] = first(func(c psa.Choice) bool { return c.Shown != psa.VisiblePublic })
			out.Settings[ticketing.Setting(d.Setting)+"_PUBLIC"] = first(func(c psa.Choice) bool { return c.Shown != psa.VisibleInternal })
		case d.Setting == psa.SettingStatus:
			out.Settings[ticketing.StatusNew], out.Settings[ticketing.StatusReopened], out.Settings[ticketing.StatusClosed] = open, open, closed
		case d.Setting == psa.SettingPriority:
			for n, s := range []ticketing.Setting{ticketing.PriorityCritical, ticketing.PriorityHigh, ticketing.PriorityMedium, ticketing.PriorityLow} {
				out.Settings[s] = offered[n%len(offered)].ID
			}
		case d.Setting == psa.SettingBoard: // of security, where there is one
			out.Settings[ticketing.Setting(d.Setting)] = first(func(c psa.Choice) bool { return strings.Contains(c.Name, "Security") })
			if out.Settings[ticketing.Setting(d.Setting)] == "" {
				out.Settings[ticketing.Setting(d.Setting)] = open
			}
		default:
			out.Settings[ticketing.Setting(d.Setting)] = open
		}
	}
	return out
}

// connectAll connects one instance of each product to the desk.
func (d *desk) connectAll(change ...func(*ticketing.Connect)) []*instance {
	d.Helper()
	all := instances(d, d.clock, nil)
	d.vendors = unhurried(all)
	d.start()
	for _, i := range all {
		form := i.form(d)
		for _, c := range change {
			c(&form)
		}
		var err error
		i.connection, err = d.service.Connect(d.ctx, form)
		require.NoError(d, err)
	}
	return all
}

// titles are the titles of an instance's tickets without their severity.
func (i *instance) titles() []string {
	out := []string{}
	for _, t := range i.Tickets() {
		_, title, _ := strings.Cut(t.Title, "] ")
		number, _, _ := strings.Cut(title, ":")
		out = append(out, number)
	}
	return out
}

func routes(which psaconnection.Routes, tenants ...*ent.Tenant) *ticketing.Routes {
	r := &ticketing.Routes{Which: which}
	for _, t := range tenants {
		r.Tenants = append(r.Tenants, t.ID)
	}
	return r
}
