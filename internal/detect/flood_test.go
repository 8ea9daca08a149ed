package detect_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// What an intruder may do to fill a book until it forgets them.

// times makes n records a few seconds apart.
func times(n int, from time.Time, one func(i int, at time.Time) *activity.Activity) []*activity.Activity {
	all := []*activity.Activity{}
	for i := range n {
		all = append(all, one(i, from.Add(time.Duration(i)*7*time.Second)))
	}
	return all
}

// inBatches feeds the parts one after another, in batches as a collector does.
func inBatches(t *testing.T, size int, parts ...[]*activity.Activity) *shelf {
	t.Helper()
	s, e := newShelf(t), detect.Standard()
	for _, part := range parts {
		for batch := range slices.Chunk(part, size) {
			s.process(e, batch...)
		}
	}
	return s
}

// rules are the rules of a review's findings, each with its worst severity.
func rulesOf(findings []detect.Finding) map[string]detect.Severity {
	rank := []detect.Severity{"", detect.SeverityInfo, detect.SeverityLow, detect.SeverityMedium, detect.SeverityHigh, detect.SeverityCritical}
	worst := make(map[string]detect.Severity)
	for _, f := range findings {
		if slices.Index(rank, f.Severity) > slices.Index(rank, worst[f.Rule]) {
			worst[f.Rule] = f.Severity
		}
	}
	return worst
}

// An intruder signs in thousands of times after the theft, from their own
// place or through proxies in the victim's country.
func TestFloodOfSessions(t *testing.T) {
	t.Parallel()
	var theft []*activity.Activity // of several sessions, so that luck saves none
	for i := range 8 {
		id := session(fmt.Sprint("s-", i))
		theft = append(theft, record("ann", after, home, id), record("ann", after.Add(time.Minute), hosting, id, agent(axios)))
	}
	stolen := func(findings []detect.Finding) (n int) {
		for _, f := range findings {
			if f.Rule == "session-hijack" {
				n++
			}
		}
		return n
	}
	for name, test := range map[string]struct {
		from func(i int) place
		want detect.Severity
	}{
		"from their own place": {func(int) place { return hosting }, detect.SeverityHigh},
		"through proxies": {func(i int) place {
			return place{fmt.Sprintf("100.64.%d.9", i%250), 64531, "Proxy Partner", "NL", activity.NetworkConsumer}
		}, detect.SeverityMedium},
		"from the victim's own place": {func(int) place { return home }, detect.SeverityLow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flood := times(3000, after.Add(time.Hour), func(i int, at time.Time) *activity.Activity {
				return record("ann", at, test.from(i), signIn, session(fmt.Sprint("made-up-", i)))
			})
			s := inBatches(t, 500, habit("ann", home), theft, flood)
			require.True(t, s.last.Overflowed)
			worst := rulesOf(s.last.Findings)
			delete(worst, "strange-sign-in") // what the flood itself looks like
			require.Equal(t, map[string]detect.Severity{"session-hijack": detect.SeverityCritical, "log-flooding": test.want}, worst,
				"the last review alone, without what was found before")
			require.Equal(t, 8, stolen(s.last.Findings))

			s = inBatches(t, 5000, slices.Concat(flood, theft, habit("ann", home)))
			require.Equal(t, 8, stolen(s.last.Findings), "all at once")
		})
	}
}

// A program that signs in anew for every task is no flood to wake anybody for.
func TestProgramIsNoFlood(t *testing.T) {
	t.Parallel()
	program := times(9000, monday, func(i int, _ time.Time) *activity.Activity {
		return record("scanner", monday.Add(time.Duration(i)*4*time.Minute), hosting, signIn, session(fmt.Sprint("task-", i)))
	})
	s := inBatches(t, 1000, program)
	findings, _ := s.live()
	require.NotEmpty(t, findings)
	for _, f := range findings {
		require.Equal(t, "log-flooding", f.Rule)
		require.Equal(t, detect.SeverityLow, f.Severity, f.Explanation)
	}
}

// A few hundred acts that look harmless, dated before and after, hide nothing.
func TestFloodOfMarks(t *testing.T) {
	t.Parallel()
	forward := func(to string) edit { return act("Set-Mailbox", "ForwardingSmtpAddress", to) }
	inbox := func(to string) edit { return act("Set-InboxRule", "Name", "to a colleague", "ForwardTo", to) }
	// fabrikam.example is the tenant's second domain, which no record of the cover names as its own.
	second := record("bob", monday, home, signIn, func(a *activity.Activity) { a.Actor.Principal = "bob@fabrikam.example" })
	for name, test := range map[string]struct {
		bad   edit
		cover func(i int) edit
		rule  string
		want  detect.Severity
	}{
		"inbox rules for a colleague":       {act("New-InboxRule", "Name", ".", "ForwardTo", "x@out.example"), func(int) edit { return inbox("bob@contoso.example") }, "inbox-rule", "CRITICAL"},
		"inbox rules for the second domain": {act("New-InboxRule", "Name", "n", "ForwardTo", "x@out.example"), func(int) edit { return act("New-InboxRule", "Name", ".", "ForwardTo", "bob@fabrikam.example") }, "inbox-rule", "HIGH"},
		"inbox rules for domains below it": {act("New-InboxRule", "Name", ".", "ForwardTo", "x@out.example"), func(i int) edit {
			return act("New-InboxRule", "Name", ".", "ForwardTo", fmt.Sprintf("b@n%d.fabrikam.example", i))
		}, "inbox-rule", "CRITICAL"},
		"inbox rules for many colleagues":       {act("New-InboxRule", "Name", ".", "ForwardTo", "x@out.example"), func(i int) edit { return inbox(fmt.Sprintf("c%d@contoso.example", i)) }, "inbox-rule", "CRITICAL"},
		"forwarding to a colleague":             {forward("x@out.example"), func(int) edit { return forward("bob@contoso.example") }, "mailbox-forwarding", "HIGH"},
		"forwarding to the second domain":       {forward("x@out.example"), func(i int) edit { return forward(fmt.Sprintf("b%d@fabrikam.example", i)) }, "mailbox-forwarding", "HIGH"},
		"forwarding taken back":                 {forward("x@out.example"), func(int) edit { return forward("") }, "mailbox-forwarding", "HIGH"},
		"transport rules for the second domain": {act("New-TransportRule", "Name", "copy", "BlindCopyTo", "x@out.example"), func(int) edit { return act("New-TransportRule", "Name", "copy", "BlindCopyTo", "b@fabrikam.example") }, "transport-rule", "HIGH"},
	} {
		for when, offset := range map[string]time.Duration{"before": -3 * time.Hour, "after": time.Hour} {
			for _, coverFirst := range []bool{true, false} {
				for _, account := range []bool{true, false} {
					t.Run(fmt.Sprint(name, " dated ", when, ", first ", coverFirst, ", account ", account), func(t *testing.T) {
						t.Parallel()
						nobody := func(a *activity.Activity) {
							if !account {
								a.AccountID = ""
							}
						}
						cover := times(600, after.Add(offset), func(i int, at time.Time) *activity.Activity {
							return record("ann", at, home, test.cover(i), target("ann"), nobody)
						})
						bad := one(record("ann", after, home, test.bad, target("ann"), nobody))
						parts := [][]*activity.Activity{habit("ann", home), one(second), bad, cover}
						if coverFirst {
							parts[2], parts[3] = cover, bad
						}
						s := inBatches(t, 100, parts...)
						require.Equal(t, test.want, rulesOf(s.last.Findings)[test.rule], "the last review alone")
						findings, _ := s.live()
						require.True(t, slices.ContainsFunc(findings, func(f detect.Finding) bool {
							return f.Rule == test.rule && f.Severity == test.want && slices.Contains(f.Targets, "x@out.example")
						}))
					})
				}
			}
		}
	}
}

// Every act that a rule notes is judged, however many there are and in whatever
// order and batches they come.
func TestFloodOfMarksAnyOrder(t *testing.T) {
	t.Parallel()
	all := slices.Concat(habit("ann", home), times(500, after, func(i int, at time.Time) *activity.Activity {
		switch i % 4 {
		case 0:
			return record("ann", at, home, act("New-InboxRule", "Name", ".", "ForwardTo", fmt.Sprintf("x@out%d.example", i)))
		case 1:
			return record("ann", at, home, act("Set-Mailbox", "ForwardingSmtpAddress", fmt.Sprintf("x%d@out.example", i)), target(fmt.Sprint("box", i)))
		case 2:
			return record("ann", at, home, act("Add member to role"), target(fmt.Sprintf("u%d@contoso.example", i)), change("Role.DisplayName", "Global Administrator"))
		}
		return record("ann", at, hosting, act("New-InboxRule", "Name", ".", "DeleteMessage", "True"))
	}))
	// What is counted of many, and what is around an act, may read differently.
	told := cmpopts.IgnoreFields(detect.Finding{}, "Explanation", "Severity", "Confidence", "LastAt", "OccurredAt", "Evidence")
	want := newShelf(t)
	want.process(detect.Standard(), all...)
	wantFindings, _ := want.live()
	require.Greater(t, len(wantFindings), 480)
	for seed := range uint64(16) {
		random := rand.New(rand.NewPCG(seed, 1))
		order := slices.Clone(all)
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		got := newShelf(t)
		e := detect.Standard()
		for batch := range slices.Chunk(order, 40+random.IntN(600)) {
			got.process(e, batch...)
		}
		gotFindings, _ := got.live()
		require.Empty(t, cmp.Diff(wantFindings, gotFindings, told), "seed %d", seed)
	}
}

// A session on dozens of networks: a telephone's many do not hide the intruder's
// one, and what is kept of them is the same in any order.
func TestSessionOnManyNetworks(t *testing.T) {
	t.Parallel()
	all := habit("ann", home)
	for n := range 5 { // so that luck saves none
		id, intruder := session(fmt.Sprint("s-", n)), hosting
		intruder.address = fmt.Sprintf("198.18.%d.9", n)
		all = append(all, record("ann", after, home, id), record("ann", after.Add(time.Hour), intruder, id, agent(axios)))
		all = append(all, times(40, after.Add(2*time.Hour), func(i int, at time.Time) *activity.Activity {
			return record("ann", at, place{fmt.Sprintf("100.64.%d.9", i), 64531, "Proxy Partner", "NL", activity.NetworkConsumer}, id)
		})...)
	}
	want := newShelf(t)
	want.process(detect.Standard(), all...)
	wantFindings, _ := want.live()
	require.Len(t, claims(want, "session-hijack"), 5)
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation(all).Draw(t, "order")
		got := newShelf(t)
		e := detect.Standard()
		for batch := range slices.Chunk(order, rapid.IntRange(1, len(all)).Draw(t, "batch")) {
			got.process(e, batch...)
		}
		gotFindings, _ := got.live()
		require.Empty(t, cmp.Diff(wantFindings, gotFindings))
		require.Equal(t, want.books, got.books)
	})
}

// Thousands of made-up names hide neither the accounts a spray really tried nor its success.
func TestFloodOfNames(t *testing.T) {
	t.Parallel()
	names := times(3000, after.Add(-5*time.Hour), func(i int, at time.Time) *activity.Activity {
		return record("x", at, hosting, failure(50034), func(a *activity.Activity) {
			a.AccountID, a.Actor.Principal = "", fmt.Sprintf("!%05d@contoso.example", i)
		})
	})
	spray := append(tries(hosting, after.Add(3*time.Hour), 50126, 6, 2), record("user3", after.Add(4*time.Hour), hosting, signIn, agent(chromeWindows)))
	for name, parts := range map[string][][]*activity.Activity{"first": {names, spray}, "last": {spray, names}, "together": {slices.Concat(names, spray)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inBatches(t, 700, parts...)
			require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "password-spray"))
			_, failed := s.live()
			attempts, accounts := 0, 0
			for _, f := range failed {
				attempts += f.Attempts
				if f.AccountID != "" {
					accounts++
				}
			}
			require.Equal(t, 5, accounts, "the other accounts tried")
			require.Equal(t, 3000+10, attempts)
		})
	}
}

// Slow tries all day do not hide the fast ones at its end.
func TestSlowTriesHideNoBruteForce(t *testing.T) {
	t.Parallel()
	day := monday.Add(-9 * time.Hour)
	var slow []*activity.Activity
	for i := range 40 {
		slow = append(slow, record("user0", day.Add(time.Duration(i)*15*time.Minute), hosting, failure(50126), agent(firefoxMac)))
	}
	fast := tries(hosting, day.Add(15*time.Hour), 50126, 1, 30)
	s := inBatches(t, 1, slow, fast, one(record("user0", day.Add(16*time.Hour), hosting, signIn, agent(firefoxMac))))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "brute-force"))
}

// A failed try of more accounts than a book has room for is counted, and what was found stands.
func TestFloodOfFailures(t *testing.T) {
	t.Parallel()
	spray := append(tries(hosting, after, 50126, 6, 2), record("user3", after.Add(time.Minute), hosting, signIn, agent(firefoxMac)))
	flood := times(6000, after.Add(time.Hour), func(i int, _ time.Time) *activity.Activity {
		return record(fmt.Sprint("victim", i), after.Add(time.Hour+time.Duration(i)*time.Second), hosting, failure(50126), agent(firefoxMac))
	})
	s := inBatches(t, 1000, spray, flood)
	require.True(t, s.last.Overflowed)
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "password-spray"))
	_, failed := s.live()
	attempts := 0
	for _, f := range failed {
		attempts += f.Attempts
	}
	require.InDelta(t, 6000+10, attempts, 2, "the two tries of the account that was entered may be told by the total")
}

// Many domains and many forwards fill the tenant's book: what goes out stays outside.
func TestFloodOfDomains(t *testing.T) {
	t.Parallel()
	domains := times(1500, monday, func(i int, at time.Time) *activity.Activity {
		return record(fmt.Sprint("user", i), at, home, signIn, func(a *activity.Activity) { a.Actor.Principal = fmt.Sprintf("u@d%04d.example", i) })
	})
	bad := one(record("ann", after, home, act("Set-Mailbox", "ForwardingSmtpAddress", "x@out.example"), target("ann")))
	for _, parts := range [][][]*activity.Activity{{bad, domains}, {domains, bad}} {
		require.Equal(t, []detect.Severity{"HIGH"}, claims(inBatches(t, 500, parts...), "mailbox-forwarding"))
	}
}

// One address outside among many inside is seen.
func TestManyAddressesHideNone(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for i := range 60 {
		fmt.Fprintf(&list, "a%02d@s%d.fabrikam.example;", i, i)
	}
	second := record("bob", monday, home, signIn, func(a *activity.Activity) { a.Actor.Principal = "bob@fabrikam.example" })
	s := run(t, one(second, record("ann", after, home, act("New-InboxRule", "Name", "copy", "From", "boss@y.example", "ForwardTo", list.String()+"zz.name.of.some.length@out.example"))))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "inbox-rule"))
	require.Contains(t, s.findings("inbox-rule")[0].Targets, "zz.name.of.some.length@out.example")
}
