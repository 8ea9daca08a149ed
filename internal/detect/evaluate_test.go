package detect_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/simulator"
)

// The evaluation asks how many false incidents benign life makes and how many
// intrusions of every kind are told. It rests on simulated logs: it compares
// one version of the rules with another, and says nothing of the world.
// CAIRN_EVALUATE=worlds,seeds makes it large (make evaluate).

// historyDays are not judged: they are what the account's habits are learned from.
const historyDays = 7

// tally counts what an evaluation saw.
type tally struct {
	accounts, incidents, uncommon int
	byRule, oddByRule             map[string]int
	planted, told                 map[simulator.AttackKind]int
	missed                        []string
}

// raises says that a finding asks somebody to act (as incidents do).
func raises(f detect.Finding) bool {
	return f.Confidence != detect.ConfidenceLow &&
		(f.Severity == detect.SeverityMedium || f.Severity == detect.SeverityHigh || f.Severity == detect.SeverityCritical)
}

// evaluate lives one world for 30 days, then puts intrusions into another one like it.
func (y *tally) evaluate(t *testing.T, seed uint64, intensity float64) {
	now := time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC)
	from := now.AddDate(0, 0, -30)
	config := simulator.Config{Seed: seed, Intensity: intensity, Odd: true}
	world := simulator.New(config)
	benign := newClients(t)
	for tenant, r := range world.History(from, now) {
		benign.add(tenant, r)
	}
	scored := from.AddDate(0, 0, historyDays)
	for _, tenant := range world.Tenants {
		y.accounts += len(tenant.Accounts)
		findings, _ := benign.live(tenant)
		told := make(map[string]bool)
		for _, f := range findings {
			switch {
			case f.LastAt.Before(scored):
			case !raises(f):
				y.uncommon++
				y.oddByRule[f.Rule]++
			case !told[f.AccountID]:
				told[f.AccountID] = true
				y.incidents++
				y.byRule[f.Rule]++
				if y.byRule[f.Rule] <= 4 {
					t.Logf("false: %s", benign.say(f))
				}
			}
		}
	}
	attacked := newClients(t)
	for tenant, r := range world.History(from, now) {
		attacked.add(tenant, r)
	}
	type planted struct {
		attack simulator.Attack
		victim string
	}
	var all []planted
	for i, kind := range simulator.Intrusions {
		for j := range 2 {
			at := now.AddDate(0, 0, -9).Add(time.Duration(i*2+j) * 97 * time.Minute)
			a := world.Attack(kind, world.Tenants[(i+j+int(seed%6))%len(world.Tenants)], at)
			for _, r := range a.Records {
				attacked.add(a.Tenant, r)
			}
			all = append(all, planted{a, activity.Principal(a.Manifest[0].Account)})
		}
	}
	for _, p := range all {
		findings, _ := attacked.live(p.attack.Tenant)
		y.planted[p.attack.Kind]++
		if slices.ContainsFunc(findings, func(f detect.Finding) bool {
			return raises(f) && attacked.names[f.AccountID] == p.victim && !f.LastAt.Before(p.attack.Records[0].Time)
		}) {
			y.told[p.attack.Kind]++
		} else {
			for _, f := range findings {
				if attacked.names[f.AccountID] == p.victim {
					t.Log("  instead: " + attacked.say(f))
				}
			}
			y.missed = append(y.missed, fmt.Sprintf("seed %d: %s on %s of %s", seed, p.attack.Kind, p.victim, p.attack.Tenant.Name))
		}
	}
}

// rate is incidents per thousand account-months.
func (y *tally) rate() float64 { return float64(y.incidents) * 1000 / float64(y.accounts) }

// odd is uncommon activity per account and year.
func (y *tally) odd() float64 {
	return float64(y.uncommon) * 365 / float64(30-historyDays) / float64(y.accounts)
}

func (y *tally) print(t *testing.T) {
	t.Logf("%d account-months: %d false incidents, %.2f per 1,000 account-months; %.2f uncommon per account and year",
		y.accounts, y.incidents, y.rate(), y.odd())
	for _, rule := range slices.Sorted(maps.Keys(y.byRule)) {
		t.Logf("  false by rule %s: %d", rule, y.byRule[rule])
	}
	t.Logf("  uncommon by rule: %v", y.oddByRule)
	told, planted := 0, 0
	for _, kind := range simulator.Intrusions {
		t.Logf("  %s: %d of %d", kind, y.told[kind], y.planted[kind])
		told, planted = told+y.told[kind], planted+y.planted[kind]
	}
	t.Logf("intrusions told: %d of %d", told, planted)
	for _, m := range y.missed {
		t.Log("  missed: " + m)
	}
}

func TestEvaluation(t *testing.T) {
	t.Parallel()
	worlds, first := 1, uint64(9001)
	if text := os.Getenv("CAIRN_EVALUATE"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		worlds, first = n, 11_000_001 // never looked at while rules were written
	}
	y := &tally{byRule: map[string]int{}, oddByRule: map[string]int{}, planted: map[simulator.AttackKind]int{}, told: map[simulator.AttackKind]int{}}
	for i := range worlds {
		y.evaluate(t, first+uint64(i), 0.15)
	}
	y.print(t)
	if worlds < 6 { // too few to count what must be rarer than one in two thousand
		require.Zero(t, y.incidents, "false incidents")
	} else {
		require.LessOrEqual(t, y.rate(), 0.5, "false incidents per 1,000 account-months")
	}
	require.Less(t, y.odd(), 3.0, "uncommon activity per account and year")
	told, planted := 0, 0
	for _, kind := range simulator.Intrusions {
		told, planted = told+y.told[kind], planted+y.planted[kind]
		if y.planted[kind] >= 10 {
			require.GreaterOrEqual(t, float64(y.told[kind])/float64(y.planted[kind]), 0.8, "%s", kind)
		}
	}
	require.GreaterOrEqual(t, float64(told)/float64(planted), 0.95, "intrusions told")
}
