package ticketing_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/refusal"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// Ensure what can't be right is refused at the field, in words, with no secret.
func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		for name, c := range map[string]struct {
			change func(f *ticketing.Connect)
			field  string
			says   string
		}{
			"another kind":              {func(f *ticketing.Connect) { f.Kind = "ODOO" }, "kind", "no adapter"},
			"no name":                   {func(f *ticketing.Connect) { f.Name = "" }, "name", ""},
			"a wrong key":               {func(f *ticketing.Connect) { f.Fields["privateKey"] = "secret-of-others" }, "credentials", "refuses"},
			"a wrong company id":        {func(f *ticketing.Connect) { f.Fields["companyId"] = "nobody" }, "credentials.companyId", "region"},
			"a client id that is none":  {func(f *ticketing.Connect) { f.Fields["clientId"] = "cairn" }, "credentials.clientId", "GUID"},
			"no such board":             {func(f *ticketing.Connect) { f.Settings["BOARD"] = "99" }, "settings.BOARD", "Security (2)"},
			"a status of another board": {func(f *ticketing.Connect) { f.Settings[ticketing.StatusNew] = "101" }, "settings.STATUS_NEW", "New (201)"},
			"a closed status for new":   {func(f *ticketing.Connect) { f.Settings[ticketing.StatusNew] = closed }, "settings.STATUS_NEW", "are closed"},
			"an open one for closed":    {func(f *ticketing.Connect) { f.Settings[ticketing.StatusClosed] = statusNew }, "settings.STATUS_CLOSED", "not closed"},
			"an inactive status":        {func(f *ticketing.Connect) { f.Settings[ticketing.StatusNew] = "205" }, "settings.STATUS_NEW", "inactive"},
			"no such setting":           {func(f *ticketing.Connect) { f.Settings["COLOUR"] = "1" }, "settings.COLOUR", "no setting"},
			"no such company":           {func(f *ticketing.Connect) { f.DefaultCompany = "4711" }, "defaultCompanyId", "no company"},
			"too many calls":            {func(f *ticketing.Connect) { f.CallsPerMinute = 1_000_000 }, "callsPerMinute", "1 to 60000"},
		} {
			form := d.form()
			c.change(&form)
			_, err := d.service.Connect(d.ctx, form)
			r := refusal.From(err)
			require.NotNil(d, r, "%s: %v", name, err)
			require.Equal(d, c.field, strings.Join(r.Field, "."), name)
			require.Contains(d, r.Message, c.says, name)
			require.NotContains(d, r.Message, "secret-of-others")
		}
		d.vendor.SetCompanyActive(contoso, false)
		_, err := d.service.Connect(d.ctx, d.form())
		require.ErrorContains(d, err, "inactive")
		n, err := d.db.Client().PSAConnection.Query().Count(d.ctx)
		require.NoError(d, err)
		require.Zero(d, n)
	})
}

// Ensure a mandatory field of the instance's own is asked for, and set.
func TestMandatoryField(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		d.found("bob", "a")
		d.drain() // the newest ticket tells which fields tickets have
		d.vendor.Behave(func(b *simulated.Behaviour) { b.RequiredCustomField = 7 })
		settings := map[ticketing.Setting]string{ticketing.PriorityLow: "8"}
		_, err := d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{Settings: settings})
		require.ErrorContains(d, err, "Impacted site")
		settings[ticketing.Setting(psa.FieldSetting("7"))] = "Branch"
		c, err = d.service.UpdateConnection(d.ctx, c.ID, ticketing.Update{Settings: settings})
		require.NoError(d, err)
		d.found("ann", "a")
		d.drain()
		d.inStep()
		all, err := d.service.Settings(d.ctx, c)
		require.NoError(d, err)
		chosen := map[ticketing.Setting]string{}
		for _, s := range all {
			chosen[s.Setting] = s.Chosen
		}
		require.Equal(d, "Branch", chosen[ticketing.Setting(psa.FieldSetting("7"))])
		require.Equal(d, closed, chosen[ticketing.StatusClosed], "proposed")
		require.Equal(d, statusNew, chosen[ticketing.StatusReopened], "proposed")
	})
}

// Ensure a storm of 429 costs calls, not tickets: the connection rests as long as
// it is told, and what waits is made then, the newest first.
func TestThrottled(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		c := d.connect()
		d.drain()
		d.vendor.SetFaults(simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: 120, HTML: true})
		for n := range 12 {
			d.found("user"+strconv.Itoa(n), "a")
			d.pass(time.Millisecond)
		}
		calls := d.vendor.Calls("POST service/tickets")
		d.pass(time.Minute)
		require.Equal(d, calls, d.vendor.Calls("POST service/tickets"))
		health, err := d.service.Health(d.ctx, c)
		require.NoError(d, err)
		require.NotNil(d, health.PausedUntil)
		require.Equal(d, "THROTTLED", health.Reason)
		d.vendor.SetFaults()
		require.Empty(d, d.vendor.Tickets())
		d.wait()
		d.inStep()
		require.Len(d, d.vendor.Tickets(), 12)
	})
}

// Ensure a callback that the PSA proves has the ticket looked at, at once, and a
// forged one nothing.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		statuses := make(chan int, 10)
		receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			status := http.StatusNoContent
			if err := d.service.Callback(access.System(r.Context(), "callback", d.tenant.OrganizationID), path.Base(r.URL.Path), r.Header, body); err != nil {
				status = http.StatusForbidden
			}
			w.WriteHeader(status)
			statuses <- status
		}))
		t.Cleanup(receiver.Close)
		d.vendor = simulated.New(simulated.Config{Now: d.clock, Client: receiver.Client()})
		d.vendor.AddCompany(contoso, "Contoso Ltd", "")
		server := httptest.NewServer(d.vendor)
		t.Cleanup(server.Close)
		d.vendor.SetAddress(server.URL)
		var err error
		d.url = server.URL
		d.public, err = url.Parse(receiver.URL)
		require.NoError(d, err)
		d.start()
		c := d.connect()
		d.drain()
		require.Len(d, d.vendor.Callbacks(), 1)
		d.found("ann", "a")
		d.drain()
		delivering, stop := context.WithCancel(context.Background())
		defer stop()
		go d.vendor.Deliver(delivering)
		require.NoError(d, d.vendor.Close(d.number("ann"), technician))
		require.Equal(d, http.StatusNoContent, <-statuses)
		require.NoError(d, d.work.Drain(context.Background(), ticketing.Queue)) // no poll
		d.annsOnly(ticketevent.KindClosed)

		err = d.service.Callback(d.ctx, c.ID, http.Header{"X-Content-Signature": {"Zm9yZ2Vk"}}, bytes.Repeat([]byte("{}"), 3))
		require.True(d, psa.Is(err, psa.ReasonForged), "%v", err)
		err = d.service.Callback(d.ctx, "psaconnection_none", nil, nil)
		require.True(d, psa.Is(err, psa.ReasonForged), "%v", err)
		_, err = d.service.Disconnect(d.ctx, c.ID)
		require.NoError(d, err)
		require.Empty(d, d.vendor.Callbacks())
		err = d.service.Callback(d.ctx, c.ID, nil, nil)
		require.True(d, psa.Is(err, psa.ReasonForged), "%v", err)
	})
}

// Ensure hostile and endless text of logs costs neither the ticket nor its reader.
func TestHostileText(t *testing.T) {
	t.Parallel()
	each(t, func(d *desk) {
		d.connect()
		text := "![x](https://evil.example/p.png) <img src=x> \x1b[31m\u202e" + strings.Repeat("🧨", 100_000)
		f := d.hostile("ann", text)
		d.findings["ann"] = append(d.findings["ann"], f)
		d.review("ann")
		d.drain()
		require.Equal(d, ticket.StateSynced, d.row("ann").State, d.row("ann").LastError)
		first := d.there("ann").Notes[0].Text
		require.NotContains(d, first, "https://evil")
		require.NotContains(d, first, "](")
		require.NotContains(d, first, "\x1b")
		require.LessOrEqual(d, len([]rune(first)), 32_000)
		require.Contains(d, first, "[cairn "+d.row("ann").ID+"]")
		require.Contains(d, first, "Tenant: contoso")
	})
}
