package detect_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// story draws a few weeks in which habits, gateways and attacks may meet in any way.
func story(t *rapid.T) []*activity.Activity {
	users := []string{"ann", "bob", "cy", "dee", "eve", "fay", "gus"}
	places := []place{home, office, carrier, hosting, abroad, servers}
	agents := []string{chromeWindows, firefoxMac, safariPhone, axios, ""}
	start := time.Date(2026, 2, 24, 7, 0, 0, 0, time.UTC) // so that the month turns early
	var all []*activity.Activity
	n := rapid.IntRange(10, 80).Draw(t, "records")
	for i := range n {
		at := start.Add(time.Duration(rapid.IntRange(0, 12*24*4).Draw(t, "quarter")) * 15 * time.Minute)
		user := rapid.SampledFrom(users).Draw(t, "user")
		from := rapid.SampledFrom(places).Draw(t, "place")
		edits := []func(*activity.Activity){
			agent(rapid.SampledFrom(agents).Draw(t, "agent")),
			func(a *activity.Activity) { a.VendorID = fmt.Sprint("record-", i) },
		}
		if s := rapid.IntRange(0, 4).Draw(t, "session"); s > 0 {
			edits = append(edits, session(fmt.Sprint("session-", s)))
		}
		switch rapid.IntRange(0, 9).Draw(t, "act") {
		case 0, 1, 2:
			edits = append(edits, signIn)
		case 3, 4, 5:
			edits = append(edits, failure(rapid.SampledFrom([]int{50126, 50126, 50053, 50034, 50074}).Draw(t, "error")))
		case 6:
			edits = append(edits, act("New-InboxRule", "Name", "news", "DeleteMessage", "True", "From", "a@b.example"))
		case 7:
			edits = append(edits, act("Set-Mailbox", "ForwardingSmtpAddress", rapid.SampledFrom([]string{"", "smtp:x@out.example", "y@fabrikam.example"}).Draw(t, "to")), target(user))
		case 8:
			edits = append(edits, act("Add member to role"), target("gus@contoso.example"), change("Role.DisplayName", "Global Administrator"))
		case 9: // teaches the tenant a second domain
			edits = append(edits, func(a *activity.Activity) { a.Actor.Principal = user + "@fabrikam.example" })
		}
		all = append(all, record(user, at, from, edits...))
	}
	// A burst from one source, so that sprays and brute force are met often.
	burst := start.Add(time.Duration(rapid.IntRange(0, 12*24).Draw(t, "burst")) * time.Hour)
	tried := users[:rapid.SampledFrom([]int{1, len(users)}).Draw(t, "tried")]
	for i := range rapid.IntRange(0, 24).Draw(t, "tries") {
		user := rapid.SampledFrom(tried).Draw(t, "user")
		all = append(all, record(user, burst.Add(time.Duration(i)*20*time.Second), hosting, failure(50126), agent(axios),
			func(a *activity.Activity) { a.VendorID = fmt.Sprint("try-", i) }))
	}
	if rapid.Bool().Draw(t, "success") {
		all = append(all, record(tried[0], burst.Add(time.Hour), hosting, signIn, agent(axios)))
	}
	return all
}

// The same records end in the same findings in any order and any batches, with
// books that went through their stored form between batches.
func TestAnyOrderSameAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := story(t)
		want := newShelf(t)
		want.process(detect.Standard(), all...)
		wantFindings, wantFailed := want.live()

		order := rapid.Permutation(all).Draw(t, "order")
		got := newShelf(t)
		e := detect.Standard()
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(t, "batch")
			got.process(e, order[:n]...)
			order = order[n:]
		}
		gotFindings, gotFailed := got.live()
		require.Empty(t, cmp.Diff(wantFindings, gotFindings, cmpopts.EquateEmpty()))
		require.Empty(t, cmp.Diff(wantFailed, gotFailed, cmpopts.EquateEmpty()))
		for k, data := range want.books {
			require.Equal(t, data, got.books[k], "book %v", k)
		}
		require.Len(t, got.books, len(want.books))
	})
}

// The story must be able to tell attacks, or the property above says nothing.
func TestStoryTellsAttacks(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for seed := range 200 {
		s := newShelf(t)
		s.process(detect.Standard(), rapid.Custom(story).Example(seed)...)
		findings, failed := s.live()
		for _, f := range findings {
			rules[f.Rule] = true
		}
		for _, f := range failed {
			rules[string(f.Tactic)] = true
		}
	}
	for _, want := range []string{
		"session-hijack", "inbox-rule", "mailbox-forwarding", "privileged-role", "password-spray", "brute-force",
		string(detect.TacticPasswordSpray), string(detect.TacticBruteForce),
	} {
		require.True(t, rules[want], "%s never told", want)
	}
}

// A record that came first without its session, and again with it, tells what
// it would have told at once; failures are not counted twice.
func TestFullerVersion(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	full := []*activity.Activity{
		record("ann", at, home, signIn, agent(chromeWindows), session("s")),
		record("ann", at.Add(10*time.Minute), hosting, signIn, agent(axios), session("s")),
		record("ann", at.Add(12*time.Minute), hosting, act("New-InboxRule", "Name", ".", "DeleteMessage", "True"), session("s")),
		record("bob", at, hosting, failure(50126), agent(axios)),
	}
	want := newShelf(t)
	want.process(detect.Standard(), full...)
	wantFindings, wantFailed := want.live()
	require.Len(t, wantFindings, 2)

	got := newShelf(t)
	var poor []*activity.Activity
	for _, a := range full {
		p := *a
		p.SessionID = ""
		poor = append(poor, &p)
	}
	e := detect.Standard()
	got.process(e, poor...)
	before, _ := got.live()
	require.NotEmpty(t, cmp.Diff(wantFindings, before), "the poorer records tell less")
	out, err := e.Process(t.Context(), got, nil, full)
	require.NoError(t, err)
	got.keep(out)
	gotFindings, gotFailed := got.live()
	require.Empty(t, cmp.Diff(wantFindings, gotFindings, cmpopts.EquateEmpty()))
	require.Empty(t, cmp.Diff(wantFailed, gotFailed, cmpopts.EquateEmpty()))
}
