package detect_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// tries are failed sign-ins of users one after another, a second apart.
func tries(from place, at time.Time, code, users, each int, edits ...edit) []*activity.Activity {
	var all []*activity.Activity
	for i := range each {
		for u := range users {
			all = append(all, record(fmt.Sprint("user", u), at.Add(time.Duration(i*users+u)*time.Second), from,
				append([]edit{failure(code), agent(firefoxMac)}, edits...)...))
		}
	}
	return all
}

func TestPasswordSpray(t *testing.T) {
	t.Parallel()
	in := func(user string, at time.Time, edits ...edit) *activity.Activity {
		return record(user, at, hosting, append([]edit{signIn, agent(firefoxMac), session("s-9")}, edits...)...)
	}
	round := tries(hosting, after, 50126, 6, 2)
	var rounds []*activity.Activity
	for i := range 5 {
		rounds = append(rounds, tries(hosting, after.Add(time.Duration(i)*6*time.Minute), 50126, 6, 2)...)
	}
	people := func(n int) (all []*activity.Activity) {
		for u := range n {
			all = append(all, record(fmt.Sprint("user", u), after.Add(time.Hour), office, signIn))
		}
		return all
	}
	for name, test := range map[string]struct {
		records  []*activity.Activity
		findings int
		failed   int
	}{
		"no success":                        {round, 0, 6},
		"success of one of them":            {append(slices.Clone(round), in("user3", after.Add(time.Minute))), 1, 5},
		"success of another, same client":   {append(slices.Clone(round), in("user9", after.Add(time.Minute))), 1, 6},
		"success of another, other client":  {append(slices.Clone(round), in("user9", after.Add(time.Minute), agent(chromeWindows))), 0, 6},
		"success two days later":            {append(slices.Clone(round), in("user3", after.Add(49*time.Hour))), 0, 6},
		"rounds over a day":                 {append(slices.Clone(rounds), in("user3", after.Add(time.Hour))), 1, 5},
		"four accounts are none":            {tries(hosting, after, 50126, 4, 2), 0, 0},
		"a source that has sprayed before":  {append(slices.Clone(round), tries(hosting, after.AddDate(0, 0, 9), 50126, 4, 2)...), 0, 10},
		"interruptions never count":         {tries(hosting, after, 50058, 8, 2), 0, 0},
		"an office after a password change": {append(tries(office, after, 50126, 6, 2), people(6)...), 0, 0},
		"a known gateway":                   {slices.Concat(tries(office, after, 50126, 6, 2), habit("bob", office), habit("cy", office)), 0, 0},
		"names nobody has": {tries(hosting, after, 50034, 7, 1, func(a *activity.Activity) {
			a.AccountID = ""
			a.Actor.Principal = "x" + a.Actor.Principal
		}), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, test.records)
			_, failed := s.live()
			require.Len(t, s.findings("password-spray"), test.findings)
			require.Len(t, failed, test.failed)
			for _, f := range failed {
				require.Equal(t, detect.TacticPasswordSpray, f.Tactic)
				require.Equal(t, "Firefox on macOS", f.UserAgent)
			}
			for _, f := range s.findings("password-spray") {
				require.Equal(t, []string{"address:" + hosting.address, "session:s-9"}, f.Links)
			}
		})
	}
}

func TestBruteForce(t *testing.T) {
	t.Parallel()
	success := record("user0", after.Add(10*time.Minute), hosting, signIn, agent(firefoxMac))
	phone := func(n int) (all []*activity.Activity) { // an old password, every four minutes
		for i := range n {
			all = append(all, record("user0", after.Add(time.Duration(i)*4*time.Minute), carrier, failure(50126), agent(safariPhone)))
		}
		return append(all, record("user0", after.Add(5*time.Hour), carrier, signIn, agent(safariPhone)))
	}
	for name, test := range map[string]struct {
		records  []*activity.Activity
		findings int
		attempts []int
	}{
		"no success":             {tries(hosting, after, 50126, 1, 25), 0, []int{25}},
		"success":                {append(tries(hosting, after, 50126, 1, 25), success), 1, nil},
		"success at home":        {append(tries(hosting, after, 50126, 1, 25), record("user0", after.Add(time.Hour), home, signIn)), 0, []int{25}},
		"nine are none":          {append(tries(hosting, after, 50126, 1, 9), success), 0, nil},
		"a typing error":         {append(tries(home, after, 50126, 1, 3), record("user0", after.Add(time.Minute), home, signIn)), 0, nil},
		"locked again and again": {tries(hosting, after, 50053, 1, 4), 0, []int{4}},
		"own place, own success": {slices.Concat(habit("user0", home), tries(home, after, 50126, 1, 15), one(record("user0", after.Add(time.Hour), home, signIn))), 0, []int{15}},
		"a phone's old password": {phone(60), 0, nil},
		"MFA asked is no try":    {append(tries(hosting, after, 50074, 1, 25), success), 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, test.records)
			_, failed := s.live()
			var attempts []int
			for _, f := range failed {
				require.Equal(t, detect.TacticBruteForce, f.Tactic)
				attempts = append(attempts, f.Attempts)
			}
			require.Len(t, s.findings("brute-force"), test.findings)
			require.Equal(t, test.attempts, attempts)
		})
	}
}

// The sign-in log and the unified audit log tell of the same attempts.
func TestTwoLogsCountOnce(t *testing.T) {
	t.Parallel()
	other := tries(hosting, after, 50126, 6, 2, func(a *activity.Activity) { a.Source = activity.SourceSignIn })
	s := run(t, tries(hosting, after, 50126, 6, 2), other)
	_, failed := s.live()
	require.Len(t, failed, 6)
	for _, f := range failed {
		require.Equal(t, 2, f.Attempts)
	}
}

func TestPasswordKnown(t *testing.T) {
	t.Parallel()
	s := run(t, tries(hosting, after, 50126, 6, 2), one(record("user2", after.Add(time.Minute), hosting, failure(50074), agent(firefoxMac))))
	_, failed := s.live()
	require.Len(t, failed, 6)
	for _, f := range failed {
		require.Equal(t, f.Attempts == 3, f.PasswordKnown)
	}
}

// A great spray is counted to the last attempt although a book lists a part of the accounts.
func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	s := run(t, tries(hosting, after, 50126, 700, 2))
	_, failed := s.live()
	n := 0
	for _, f := range failed {
		n += f.Attempts
	}
	require.Equal(t, 1400, n)
}
