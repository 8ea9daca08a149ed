package activity_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// addressForms are ways logs write addresses, and what each says.
var addressForms = map[string]string{
	"192.0.2.9":            "192.0.2.9",
	" 192.0.2.9 ":          "192.0.2.9",
	"192.0.2.9:443":        "192.0.2.9",
	"[192.0.2.9]:443":      "192.0.2.9",
	"2001:db8::7":          "2001:db8::7",
	"[2001:db8::7]":        "2001:db8::7",
	"[2001:db8::7]:443":    "2001:db8::7",
	"2001:db8::7%eth0":     "2001:db8::7",
	"[2001:db8::7%eth0]:9": "2001:db8::7",
	"2001:0db8:0000:0000:0000:0000:0000:0007:54321": "2001:db8::7",
	"::ffff:192.0.2.9":                    "192.0.2.9",
	"[::ffff:192.0.2.9]:80":               "192.0.2.9",
	"SERVER01 (192.0.2.9)":                "192.0.2.9",
	"[SERVER01 (192.0.2.9)]":              "192.0.2.9",
	"host.contoso.example [192.0.2.9]:25": "192.0.2.9",
	"192.0.2.9 (host.contoso.example)":    "192.0.2.9",
	"192.0.2.9, 198.51.100.7":             "192.0.2.9",
	"192.0.2.9;198.51.100.7":              "192.0.2.9",
	`["192.0.2.9","198.51.100.7"]`:        "192.0.2.9",
	"unknown, 192.0.2.9":                  "192.0.2.9",
	"127.0.0.1, 192.0.2.9":                "192.0.2.9",
	"<192.0.2.9>":                         "192.0.2.9",
	"192.0.2.9|x":                         "192.0.2.9",
	"":                                    "",
	"null":                                "",
	"SERVER01":                            "",
	"SERVER01 (192.0.2.999)":              "",
	"::1":                                 "",
	"fe80::1%eth0":                        "",
	"0.0.0.0":                             "",
	"[[[[":                                "",
	"255.255.255.255":                     "",
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range addressForms {
		got := ""
		if addr := activity.ParseAddress(text); addr.IsValid() {
			got = addr.String()
		}
		require.Equal(t, want, got, "%q", text)
	}
}

func FuzzParseAddress(f *testing.F) {
	for text := range addressForms {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr := activity.ParseAddress(text)
		if !addr.IsValid() {
			return
		}
		require.Empty(t, addr.Zone())
		require.False(t, addr.IsLoopback() || addr.Is4In6())
		require.Equal(t, addr, activity.ParseAddress(addr.String()))
		require.Equal(t, addr, activity.ParseAddress(netip.AddrPortFrom(addr, 443).String()))
	})
}

// timeForms are ways the same moment is written, and ways that leave it open.
var timeForms = map[string]bool{
	"2026-03-02T08:01:00":             true,
	"2026-03-02T08:01:00Z":            true,
	"2026-03-02T08:01:00.0000000Z":    true,
	"2026-03-02T08:01:00.000000000Z":  true,
	"2026-03-02T10:01:00+02:00":       true,
	"2026-03-02T10:01:00+0200":        true,
	"2026-03-02T08:01:00+00":          true,
	"2026-03-02T08:01:00.000+0000":    true,
	"2026-03-02 08:01:00":             true,
	"2026-03-02 08:01:00.000":         true,
	"2026-03-02 08:01:00+00:00":       true,
	"2026-03-02 08:01:00 +0000":       true,
	"2026-03-02 08:01:00 +0000 UTC":   true,
	"2026-03-02 08:01:00 UTC":         true,
	"2026-03-02T08:01:00 Z":           true,
	"2026-03-02T08:01":                true,
	"2026-03-02 08:01Z":               true,
	"2026-03-02T08:01:00.":            true,
	"2026-03-02T08:01:00.Z":           true,
	"2026-03-02t08:01:00z":            true,
	"20260302T080100Z":                true,
	"2026/03/02 08:01:00":             true,
	"Mon, 02 Mar 2026 08:01:00 GMT":   true,
	"Mon, 02 Mar 2026 08:01:00 +0000": true,
	"03/02/2026 08:01:00":             false,
	"3/2/2026 8:01:00 AM":             false,
	"02.03.2026 08:01:00":             false,
	"2026-03-02":                      false,
	"08:01:00":                        false,
	"soon":                            false,
	"":                                false,
	"1026-03-02T08:01:00Z":            false,
	"Monday, 2 March 2026 08:01:00":   false,
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 3, 2, 8, 1, 0, 0, time.UTC)
	for text, reads := range timeForms {
		got, ok := activity.ParseTime(text)
		require.Equal(t, reads, ok, "%q", text)
		if ok {
			require.Equal(t, want, got, "%q", text)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for text := range timeForms {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := activity.ParseTime(text)
		if !ok {
			return
		}
		require.Equal(t, time.UTC, at.Location())
		again, ok := activity.ParseTime(at.Format(time.RFC3339Nano))
		require.True(t, ok)
		require.Equal(t, at, again)
	})
}

// Ensure a sign-in belongs to its home and to its resource, and that who comes
// from elsewhere is a guest in it.
func TestClaim(t *testing.T) {
	t.Parallel()
	const home, host, stranger = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "cccccccc-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
	for _, test := range []struct {
		kind      activity.ActorKind
		directory string
		claimed   bool
		want      activity.ActorKind
	}{
		{activity.ActorUser, home, true, activity.ActorUser},
		{activity.ActorUser, host, true, activity.ActorGuest},
		{activity.ActorGuest, home, true, activity.ActorUser},
		{activity.ActorGuest, host, true, activity.ActorGuest},
		{activity.ActorApplication, host, true, activity.ActorApplication},
		{activity.ActorUser, stranger, false, activity.ActorUser},
		{activity.ActorUser, "", false, activity.ActorUser},
	} {
		a := activity.Activity{MicrosoftTenantID: home, HomeTenantID: home, ResourceTenantID: host, Actor: activity.Actor{Kind: test.kind}}
		require.Equal(t, test.claimed, a.Claim(test.directory), test)
		require.Equal(t, test.want, a.Actor.Kind, test)
		if test.claimed {
			require.Contains(t, []string{activity.AtHome, activity.AtResource}, a.Shape)
			require.Equal(t, test.directory, a.MicrosoftTenantID)
		}
	}
	within := activity.Activity{MicrosoftTenantID: home, HomeTenantID: home, ResourceTenantID: home, Actor: activity.Actor{Kind: activity.ActorGuest}}
	require.True(t, within.Claim(home))
	require.Equal(t, activity.ActorGuest, within.Actor.Kind)
}
