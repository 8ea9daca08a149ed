package detect_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// All here rests on simulated life and simulated attacks: it says that the
// rules do what they were written for, not how they fare in the world.

// clients are the simulated tenants' shelves, fed in batches as a collector does.
type clients struct {
	t       *testing.T
	tables  *intel.Tables
	engine  *detect.Engine
	pending map[*simulator.Tenant][]*activity.Activity
	shelves map[*simulator.Tenant]*shelf
	names   map[string]string
	records int
}

func newClients(t *testing.T) *clients {
	t.Helper()
	tables, err := intel.Open("")
	require.NoError(t, err)
	return &clients{
		t: t, tables: tables, engine: detect.Standard(), names: make(map[string]string),
		pending: make(map[*simulator.Tenant][]*activity.Activity), shelves: make(map[*simulator.Tenant]*shelf),
	}
}

func (c *clients) add(tenant *simulator.Tenant, r simulator.Record) {
	a, err := format.Parse(r.Raw)
	require.NoError(c.t, err)
	a.Identify("org_1", tenant.Name)
	if a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest {
		a.AccountID = typeid.Derived("account", tenant.Name, a.Actor.Principal)
		c.names[a.AccountID] = a.Actor.Principal
	}
	info := c.tables.Lookup(a.Address)
	a.Country, a.Network = info.Country, info.Network
	c.records++
	if c.pending[tenant] = append(c.pending[tenant], &a); len(c.pending[tenant]) >= 2000 {
		c.flush(tenant)
	}
}

func (c *clients) flush(tenant *simulator.Tenant) {
	s := c.shelves[tenant]
	if s == nil {
		s = newShelf(c.t)
		c.shelves[tenant] = s
	}
	s.process(c.engine, c.pending[tenant]...)
	c.pending[tenant] = c.pending[tenant][:0]
}

func (c *clients) live(tenant *simulator.Tenant) ([]detect.Finding, []detect.FailedAttack) {
	c.flush(tenant)
	return c.shelves[tenant].live()
}

func (c *clients) say(f detect.Finding) string {
	return fmt.Sprintf("%s %s %s %s: %s", f.OccurredAt.Format(time.DateTime), c.names[f.AccountID], f.Rule, f.Severity, f.Explanation)
}

func TestSimulatedLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC)
	world := simulator.New(simulator.Config{Seed: 11, Intensity: 0.3})
	c := newClients(t)
	for tenant, r := range world.History(now.AddDate(0, 0, -45), now) {
		c.add(tenant, r)
	}
	require.Greater(t, c.records, 50_000)
	for _, tenant := range world.Tenants {
		findings, failed := c.live(tenant)
		for _, f := range findings {
			t.Errorf("%s, who did nothing wrong: %s", tenant.Name, c.say(f))
		}
		for _, f := range failed {
			t.Errorf("%s was not attacked: %v", tenant.Name, f)
		}
	}
}

func TestSimulatedAttacks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC)
	world := simulator.New(simulator.Config{Seed: 12, Intensity: 0.1})
	attacks := []simulator.Attack{
		world.Attack(simulator.TokenTheft, world.Tenants[0], now.AddDate(0, 0, -3).Add(10*time.Hour)),
		world.Attack(simulator.Spray, world.Tenants[1], now.AddDate(0, 0, -4).Add(3*time.Hour)),
		world.Attack(simulator.OldCompromise, world.Tenants[2], now.AddDate(0, 0, -20).Add(4*time.Hour)),
		world.Attack(simulator.BlockedSpray, world.Tenants[3], now.AddDate(0, 0, -5).Add(2*time.Hour)),
	}
	c := newClients(t)
	for tenant, r := range world.History(now.AddDate(0, 0, -30), now) {
		c.add(tenant, r)
	}
	for _, a := range attacks {
		for _, r := range a.Records {
			c.add(a.Tenant, r)
		}
	}
	for _, a := range attacks {
		findings, failed := c.live(a.Tenant)
		told := make(map[string]bool)
		for _, f := range findings {
			if f.Rule == "strange-sign-in" || !raises(f) {
				continue // the entry seen from the account, beside what the source tells; what is uncommon and no more
			}
			told[c.names[f.AccountID]+" "+f.Rule] = true
		}
		for _, f := range failed {
			told[c.names[f.AccountID]+" "+string(f.Tactic)] = true
		}
		want := make(map[string]bool)
		for _, p := range a.Manifest {
			rules, ours := tells[p.Behaviour]
			if !ours {
				continue
			}
			rule := rules.rule
			if !p.Succeeded {
				rule = string(rules.tactic)
			}
			want[activity.Principal(p.Account)+" "+rule] = true
		}
		require.Equal(t, want, told, a.Kind)
	}
}

// tells says which rule speaks for what the simulator plants.
var tells = map[simulator.Behaviour]struct {
	rule   string
	tactic detect.Tactic
}{
	simulator.SessionOnTwoNetworks: {rule: "session-hijack"},
	simulator.MaliciousInboxRule:   {rule: "inbox-rule"},
	simulator.MailboxForwarding:    {rule: "mailbox-forwarding"},
	simulator.PasswordSpray:        {rule: "password-spray", tactic: detect.TacticPasswordSpray},
	simulator.BruteForce:           {rule: "brute-force", tactic: detect.TacticBruteForce},
	simulator.RiskyConsent:         {rule: "app-consent"},
	simulator.PrivilegedRole:       {rule: "privileged-role"},
}
