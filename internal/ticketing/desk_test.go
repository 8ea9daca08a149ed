package ticketing_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/secret"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/work"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Boards, companies and statuses of the simulated instance.
const (
	board      = "2" // Security
	statusNew  = "201"
	inProgress = 202
	closed     = "204"
	contoso    = 77
)

// desk is an MSP with Cairn, a tenant, and a simulated ConnectWise reached over
// HTTP. Its clock stands until it is put forward.
type desk struct {
	testing.TB

	ctx       context.Context
	db        *database.DB
	service   *ticketing.Service
	work      *work.Runner
	feed      *change.Feed
	incidents *incident.Service
	vendor    *simulated.Server
	url       string
	tenant    *ent.Tenant
	key       *secret.Keeper
	public    *url.URL
	vendors   []psa.Vendor

	clockOf  func() time.Time // nil: the desk's own
	mu       sync.Mutex
	now      time.Time
	findings map[string][]detect.Finding // by account
	accounts map[string]string           // ids by name
}

func each(t *testing.T, test func(d *desk)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newDesk(t, db)) })
}

func newDesk(t testing.TB, db *database.DB) *desk {
	t.Helper()
	d := &desk{TB: t, db: db, now: t0, findings: map[string][]detect.Finding{}, accounts: map[string]string{}, vendors: []psa.Vendor{connectwise.Vendor}}
	d.vendor = simulated.New(simulated.Config{Now: d.clock})
	d.vendor.AddCompany(contoso, "Contoso Ltd", "https://www.contoso.example")
	server := httptest.NewServer(d.vendor)
	t.Cleanup(server.Close)
	d.vendor.SetAddress(server.URL)
	d.url = server.URL
	d.ctx, _ = databasetest.Organization(t, db, "MSP")
	d.tenant = databasetest.Tenant(d.ctx, t, db, "contoso")
	path := filepath.Join(t.TempDir(), "master.key")
	require.NoError(t, secret.Create(path, ""))
	var err error
	d.key, err = secret.Load(path, "")
	require.NoError(t, err)
	d.start()
	return d
}

// start builds the service anew, as a process that starts does.
func (d *desk) start() {
	d.feed = change.New(d.db, d.clock)
	d.work = work.New(work.Config{DB: d.db, Signals: d.feed, Now: d.clock, Logger: slog.New(slog.DiscardHandler)})
	d.service = ticketing.New(ticketing.Config{
		DB: d.db, Work: d.work, Feed: d.feed, Vendors: d.vendors, Secrets: d.key,
		Client: &http.Client{}, PublicURL: d.public, Pace: ticketing.StandardPace, Now: d.clock, Logger: slog.New(slog.DiscardHandler),
		Remediate: func(ctx context.Context, id, reason string) error {
			_, err := d.incidents.SetStatus(ctx, id, entincident.StatusRemediated, reason)
			return err
		},
	})
	d.service.Tell = func(ctx context.Context, id string, notes ...incident.Note) error {
		return d.incidents.Tell(ctx, id, notes...)
	}
	d.service.Register()
	d.incidents = incident.New(d.db, d.clock, d.service.Follow)
}

func (d *desk) clock() time.Time {
	if d.clockOf != nil {
		return d.clockOf()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// pass puts the clock forward and works off what has become due.
func (d *desk) pass(by time.Duration) {
	d.Helper()
	d.mu.Lock()
	d.now = d.now.Add(by)
	d.mu.Unlock()
	d.drain()
}

// drain works off what is due, tickets and polls, until nothing is.
func (d *desk) drain() {
	d.Helper()
	for range 2 {
		require.NoError(d, d.work.Drain(context.Background(), ticketing.PollQueue))
		require.NoError(d, d.work.Drain(context.Background(), ticketing.Queue))
	}
}

// wait lets half an hour pass, minute by minute.
func (d *desk) wait() {
	d.Helper()
	for range 30 {
		d.pass(time.Minute)
	}
}

func (d *desk) fields() map[string]string {
	return map[string]string{
		"site": d.url, "companyId": simulated.DemoCompanyID, "publicKey": simulated.DemoPublicKey,
		"privateKey": simulated.DemoPrivateKey, "clientId": simulated.DemoClientID,
	}
}

func (d *desk) form() ticketing.Connect {
	return ticketing.Connect{
		Kind: "CONNECTWISE", Name: "our PSA", Fields: d.fields(), DefaultCompany: strconv.Itoa(contoso), CallsPerMinute: 60_000,
		Settings: map[ticketing.Setting]string{
			"BOARD": board, ticketing.PriorityCritical: "4", ticketing.PriorityHigh: "6", ticketing.PriorityMedium: "8", ticketing.PriorityLow: "10",
		},
	}
}

func (d *desk) connect(change ...func(*ticketing.Connect)) *ent.PSAConnection {
	d.Helper()
	form := d.form()
	for _, c := range change {
		c(&form)
	}
	c, err := d.service.Connect(d.ctx, form)
	require.NoError(d, err)
	return c
}

// found has detection find something in an account, beside what it found before.
func (d *desk) found(account, key string, change ...func(*detect.Finding)) {
	d.Helper()
	if d.accounts[account] == "" {
		require.NoError(d, d.account(account))
	}
	f := d.finding(account, key)
	for _, c := range change {
		c(&f)
	}
	d.findings[account] = append(d.findings[account], f)
	d.review(account)
}

// disproved has detection find nothing of all it found in an account.
func (d *desk) disproved(account string) {
	d.findings[account] = nil
	d.review(account)
}

func bookOf(account string) detect.BookKey {
	return detect.BookKey{Kind: detect.BookAccount, Subject: account, Period: 1}
}

func (d *desk) review(account string) {
	d.Helper()
	require.NoError(d, d.tryReview(account))
}

func (d *desk) tryReview(account string) error {
	return d.db.InTx(d.ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := d.incidents.Apply(ctx, tx, d.tenant.ID, []detect.Review{{Book: bookOf(account), Findings: d.findings[account]}})
		return err
	})
}

func (d *desk) account(name string) error {
	return d.db.InTx(d.ctx, func(ctx context.Context, tx *database.Tx) error {
		a, err := tx.Client.Account.Create().SetOrganizationID(d.tenant.OrganizationID).SetTenantID(d.tenant.ID).
			SetPrincipal(name + "@contoso.example").SetCreatedAt(t0).Save(ctx)
		if err == nil {
			d.accounts[name] = a.ID
		}
		return err
	})
}

func (d *desk) status(account string, s entincident.Status) {
	d.Helper()
	_, err := d.incidents.SetStatus(d.ctx, d.incident(account).ID, s, "tested")
	require.NoError(d, err)
}

func (d *desk) incident(account string) *ent.Incident {
	d.Helper()
	i, err := d.db.Client().Incident.Query().Where(entincident.AccountID(d.accounts[account])).Order(entincident.ByNumber()).First(d.ctx)
	require.NoError(d, err)
	return i
}

// row is the ticket of an account's incident.
func (d *desk) row(account string) *ent.Ticket {
	d.Helper()
	t, err := d.db.Client().Ticket.Query().Where(ticket.IncidentID(d.incident(account).ID)).Only(d.ctx)
	require.NoError(d, err)
	return t
}

// rowIn is the ticket of an account's incident in a connection.
func (d *desk) rowIn(account string, c *ent.PSAConnection) *ent.Ticket {
	d.Helper()
	t, err := d.db.Client().Ticket.Query().Where(ticket.IncidentID(d.incident(account).ID), ticket.ConnectionID(c.ID)).Only(d.ctx)
	require.NoError(d, err)
	return t
}

// number is the ticket's id in the PSA.
func (d *desk) number(account string) int {
	d.Helper()
	n, err := strconv.Atoi(d.row(account).ExternalID)
	require.NoError(d, err)
	return n
}

// there is the ticket of an account's incident as the PSA has it; it fails where
// there is not exactly one that is open or was not closed as a duplicate.
func (d *desk) there(account string) simulator.Ticket {
	d.Helper()
	id := d.row(account).ID
	var found []simulator.Ticket
	for _, x := range d.vendor.Tickets() {
		if x.Reference == id {
			found = append(found, x)
		}
	}
	require.Len(d, found, 1, "tickets of %s", account)
	return found[0]
}

// annsKinds are the kinds of the events of Ann's ticket, in order.
func (d *desk) annsKinds() []string {
	d.Helper()
	all, err := d.db.Client().TicketEvent.Query().Where(ticketevent.TicketID(d.row("ann").ID)).Order(ticketevent.ByAt(), ticketevent.ByID()).All(d.ctx)
	require.NoError(d, err)
	var out []string
	for _, e := range all {
		out = append(out, string(e.Kind))
	}
	return out
}

// notes are the sequences of Cairn's notes on a ticket, in order.
func notes(x simulator.Ticket) []string {
	var out []string
	for _, n := range x.Notes {
		if _, marker, ok := strings.Cut(n.Text, "[cairn ticket_"); ok {
			if _, sequence, isNote := strings.Cut(marker, "/"); isNote {
				out = append(out, strings.TrimSuffix(sequence, "]"))
			}
		}
	}
	return out
}

// inStep checks that every incident that is to have a ticket has one, in the
// same state, with every note once and in order.
func (d *desk) inStep() {
	d.Helper()
	all, err := d.db.Client().Incident.Query().WithTickets().WithEvents().All(d.ctx)
	require.NoError(d, err)
	for _, i := range all {
		for _, t := range i.Edges.Tickets {
			if t.State == ticket.StateCancelled || t.State == ticket.StateDeleted {
				continue
			}
			require.Equal(d, ticket.StateSynced, t.State, "%s: %s", i.Title, t.LastError)
			var x simulator.Ticket
			n := 0
			for _, there := range d.vendor.Tickets() {
				if there.Reference == t.ID {
					x = there
					n++
				}
			}
			require.Equal(d, 1, n, "tickets of %s", i.Title)
			over := i.Status == entincident.StatusRemediated || i.Status == entincident.StatusFalsePositive || i.Status == entincident.StatusSuperseded
			require.Equal(d, over, x.Closed, "%s is %s", i.Title, i.Status)
			require.Equal(d, wantedNotes(i, t, psa.Description{}), notes(x), "notes of %s", i.Title)
			require.Contains(d, x.Title, fmt.Sprintf("#%d", i.Number))
		}
	}
}

// killAt ends the process at the nth time it comes to a place, and starts it
// again once the dead one's leases are over.
func (d *desk) killAt(where string, nth int, during func()) (killed bool) {
	d.Helper()
	var mu sync.Mutex
	times := 0
	d.service.At(func(at string) {
		mu.Lock()
		defer mu.Unlock()
		if at == where && !killed {
			if times++; times == nth {
				killed = true
				runtime.Goexit()
			}
		}
	})
	during()
	d.drain()
	d.start()
	return killed
}

// technician acts in the PSA's own pages.
const technician = simulator.Technician

// every reaches across organizations.
func every() context.Context { return access.SystemAcrossOrganizations(context.Background(), "test") }

// exec changes the database behind the service's back.
func (d *desk) exec(statements ...string) {
	d.Helper()
	require.NoError(d, d.db.InTx(every(), func(ctx context.Context, tx *database.Tx) error {
		for _, s := range statements {
			if _, err := tx.SQL.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}))
}

// https has Cairn be reached at an address that PSAs call.
func (d *desk) https() {
	d.public = &url.URL{Scheme: "https", Host: "cairn.example"}
	d.start()
}

// finding is what detection finds in an account now.
func (d *desk) finding(account, key string) detect.Finding {
	now := d.clock()
	return detect.Finding{
		Key: account + "-" + key, Book: bookOf(account), Rule: "rule-" + key, Severity: detect.SeverityHigh, Confidence: detect.ConfidenceHigh,
		Stage: detect.StageEntry, AccountID: d.accounts[account], OccurredAt: now, LastAt: now, Evidence: []string{"activity_" + key},
		Explanation: "because " + key + ".",
	}
}

// hostile is a finding with a text somebody wrote.
func (d *desk) hostile(account, text string) detect.Finding {
	d.Helper()
	require.NoError(d, d.account(account))
	f := d.finding(account, "a")
	f.Explanation = text
	return f
}
