package detect_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// manyAgents are clients that all tell themselves apart.
func manyAgents() []string {
	var all []string
	for _, os := range []string{"Windows NT 10.0", "Macintosh; Intel Mac OS X 10_15", "iPhone; CPU iPhone OS 17_1 like Mac OS X", "Linux; Android 14", "X11; Linux x86_64", "X11; CrOS x86_64"} {
		for _, client := range []string{"Chrome/120", "Chrome/120 Edg/120", "Firefox/120", "OPR/99 Chrome/120", "Version/17 Safari/600"} {
			all = append(all, fmt.Sprintf("Mozilla/5.0 (%s) %s", os, client))
		}
	}
	return append(all, axios, "python-requests/2", "Go-http-client/2.0", "curl/8.0")
}

// Whoever holds a stolen session shows it with one client after another until
// the owner's place is forgotten: it is not, whatever the owner's client is.
func TestManyLooksHideNoTheft(t *testing.T) {
	t.Parallel()
	for i, own := range manyAgents()[:30] {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			var usual []*activity.Activity
			for n := range 60 {
				usual = append(usual, record("ann", after.Add(time.Duration(n)*time.Minute), home, signIn, session(fmt.Sprint("own-", n)), agent(own)))
			}
			theft := one(record("ann", after, home, session("stolen"), agent(own)))
			for j, a := range manyAgents() {
				if a != own {
					theft = append(theft, record("ann", after.Add(time.Hour+time.Duration(j)*time.Second), hosting, session("stolen"), agent(a)))
				}
			}
			for name, parts := range map[string][][]*activity.Activity{
				"first": {theft[:1], theft[1:]}, "last": {theft[1:], theft[:1]}, "together": {theft},
			} {
				s := inBatches(t, 5000, slices.Concat([][]*activity.Activity{habit("ann", home, agent(own)), usual}, parts)...)
				got := rulesOf(s.last.Findings)
				require.Contains(t, got, "session-hijack", name)
				require.Equal(t, "HIGH", string(got["log-flooding"]), name)
			}
		})
	}
}

// Whoever holds a stolen session shows it with the owner's own client on one
// address of their network after another: the owner's place stays.
func TestManyNetworksHideNoTheft(t *testing.T) {
	t.Parallel()
	for n := range 8 { // so that luck saves none
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			id, home := session("stolen"), home
			home.address = fmt.Sprintf("192.0.%d.10", n)
			from := func(i int) place {
				return place{fmt.Sprintf("198.18.%d.9", i), 64510, "Rented Boxes", "NL", activity.NetworkHosting}
			}
			theft := one(record("ann", after, home, id), record("ann", after.Add(time.Hour), from(n), id, agent(axios)))
			cover := times(200, after.Add(2*time.Hour), func(i int, at time.Time) *activity.Activity { return record("ann", at, from(i), id) })
			later := one(record("ann", after.Add(9*time.Hour), home, id))
			for name, parts := range map[string][][]*activity.Activity{
				"before": {cover, theft, later}, "after": {theft, later, cover}, "together": {slices.Concat(theft, cover, later)},
			} {
				s := inBatches(t, 5000, slices.Concat([][]*activity.Activity{habit("ann", home)}, parts)...)
				require.Len(t, claims(s, "session-hijack"), 1, name)
			}
		})
	}
}
