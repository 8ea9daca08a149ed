package microsoft365_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

var bothKinds = []microsoft365.SignInKind{microsoft365.SignInInteractive, microsoft365.SignInNonInteractive}

func TestSignIns(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Page = 10 })
	of, client := s.tenant(t, s.detection)
	of.Live(noon.AddDate(0, 0, -2))
	window := microsoft365.Window{From: noon.AddDate(0, 0, -2), To: noon}
	var got []json.RawMessage
	for _, kind := range bothKinds {
		records := all(t, client.SignIns(t.Context(), kind, window, ""))
		require.NotEmpty(t, records, kind)
		got = append(got, records...)
	}
	require.Equal(t, of.Issued(simulator.SignIns), idsOf(t, got))

	// Half the window holds half of them, and no bound is in both halves.
	middle := noon.AddDate(0, 0, -1)
	first := all(t, client.SignIns(t.Context(), microsoft365.SignInNonInteractive, microsoft365.Window{From: window.From, To: middle}, ""))
	second := all(t, client.SignIns(t.Context(), microsoft365.SignInNonInteractive, microsoft365.Window{From: middle, To: noon}, ""))
	require.Len(t, idsOf(t, append(first, second...)), len(first)+len(second))

	of.SetPremium(false)
	for _, err := range client.SignIns(t.Context(), microsoft365.SignInInteractive, window, "") {
		reason(t, microsoft365.ReasonNotPremium, err)
	}
}

func TestSignInsThroughTrouble(t *testing.T) {
	t.Parallel()

	for name, trouble := range map[string]func(*setting, *microsoft.Tenant){
		"a token that dies between pages": func(s *setting, _ *microsoft.Tenant) {
			s.clock.Advance(time.Second)
			s.cloud.KillTokens()
			s.clock.Advance(time.Second)
		},
		"a token that ends between pages": func(s *setting, _ *microsoft.Tenant) {
			s.clock.Advance(50 * time.Minute)
			s.cloud.KillTokens()
			s.clock.Advance(time.Second)
		},
		"a page twice":                     func(_ *setting, of *microsoft.Tenant) { of.RepeatPages(2) },
		"a place that was forgotten":       func(s *setting, _ *microsoft.Tenant) { s.clock.Advance(61 * time.Minute) },
		"a page without its records, once": func(_ *setting, of *microsoft.Tenant) { of.LosePages("signIns", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := start(t, func(o *microsoft.Options) { o.Page = 7 })
			of, client := s.tenant(t, s.detection)
			attack := of.Attack(simulator.Spray, noon)
			s.clock.Advance(time.Hour)
			window := microsoft365.Window{From: noon, To: noon.Add(2 * time.Hour)}
			read := func(meet func(*setting, *microsoft.Tenant)) (records []json.RawMessage, restarted bool) {
				pages := 0
				for page, err := range client.SignIns(t.Context(), microsoft365.SignInInteractive, window, "") {
					require.NoError(t, err)
					records = append(records, page.Records...)
					restarted = restarted || page.Restarted
					if pages++; pages == 2 && meet != nil {
						meet(s, of)
					}
				}
				return records, restarted
			}
			got, restarted := read(trouble)
			if name == "a page without its records, once" {
				got, _ = read(nil) // a trailing window reads it again
			}
			require.Equal(t, name == "a place that was forgotten", restarted)
			require.Equal(t, of.Issued(simulator.SignIns), idsOf(t, got))
			require.NotEmpty(t, attack.Records)
		})
	}
}

func TestSignInsLateAndPoisoned(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Late = nil })
	// What is poisoned is against Microsoft's document, so nobody watches here.
	app := s.app(t, detectionID, func(c *microsoft365.Config) { c.Client = s.cloud.Client() })
	of, client := s.tenant(t, app)
	of.Attack(simulator.TokenTheft, noon)
	of.Feed(simulator.Record{Log: simulator.SignIns, ID: "poison", Time: noon, Raw: json.RawMessage(`{"id":"poison","createdDateTime":17,"signInEventTypes":["interactiveUser"],"status":[]}`)})
	window := microsoft365.Window{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)}
	read := func() []string {
		return idsOf(t, all(t, client.SignIns(t.Context(), microsoft365.SignInInteractive, window, "")))
	}
	require.Empty(t, read()) // it takes minutes
	seen := map[string]bool{}
	late := 0
	for range 12 {
		s.clock.Advance(5 * time.Minute)
		for _, id := range read() {
			if !seen[id] {
				seen[id] = true
				late++
			}
		}
	}
	require.Len(t, seen, late)
	require.True(t, seen["poison"]) // kept as it is, beside the others
	require.Len(t, seen, len(of.Issued(simulator.SignIns)))
}

func TestDirectoryAudits(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, client := s.tenant(t, s.detection)
	of.Attack(simulator.Spray, noon)
	s.clock.Advance(time.Hour)
	records := all(t, client.DirectoryAudits(t.Context(), microsoft365.Window{From: noon, To: noon.Add(time.Hour)}, ""))
	var names []string
	for _, raw := range records {
		var r struct{ ActivityDisplayName string }
		require.NoError(t, json.Unmarshal(raw, &r))
		names = append(names, r.ActivityDisplayName)
	}
	require.Contains(t, names, "Consent to application")
}

// contents reads the audit log of a window.
func contents(t *testing.T, client *microsoft365.Tenant, kind microsoft365.ContentType, w microsoft365.Window) (blobs []microsoft365.Content, records []json.RawMessage) {
	t.Helper()
	for page, err := range client.Contents(t.Context(), kind, w, "") {
		require.NoError(t, err)
		for _, c := range page.Contents {
			got, err := client.Blob(t.Context(), c)
			require.NoError(t, err)
			blobs, records = append(blobs, c), append(records, got...)
		}
	}
	return blobs, records
}

var contentKinds = []microsoft365.ContentType{
	microsoft365.ContentEntra, microsoft365.ContentExchange, microsoft365.ContentSharePoint, microsoft365.ContentGeneral,
}

func TestAuditContent(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Page = 3 })
	of, client := s.tenant(t, s.detection)
	ctx := t.Context()
	window := microsoft365.Window{From: noon, To: noon.Add(24 * time.Hour)}

	for _, err := range client.Contents(ctx, microsoft365.ContentEntra, window, "") {
		reason(t, microsoft365.ReasonSubscription, err)
	}
	of.SetAuditOn(false)
	on, err := client.AuditLogOn(ctx)
	require.NoError(t, err)
	require.False(t, on)
	reason(t, microsoft365.ReasonAuditLogOff, client.StartSubscription(ctx, microsoft365.ContentEntra))
	of.SetAuditOn(true)
	on, err = client.AuditLogOn(ctx)
	require.NoError(t, err)
	require.True(t, on)
	for _, kind := range contentKinds {
		require.NoError(t, client.StartSubscription(ctx, kind))
		require.NoError(t, client.StartSubscription(ctx, kind)) // once more changes nothing
	}
	subscriptions, err := client.Subscriptions(ctx)
	require.NoError(t, err)
	require.Len(t, subscriptions, len(contentKinds))
	reason(t, microsoft365.ReasonPermission, client.StartSubscription(ctx, microsoft365.ContentDLP))

	of.Duplicate(true)
	of.Live(noon)
	of.Attack(simulator.TokenTheft, noon.Add(time.Hour))
	s.clock.Advance(20 * time.Hour)
	var ids []string
	var got, times int
	for _, kind := range contentKinds {
		blobs, records := contents(t, client, kind, window)
		got, times = got+len(records), times+len(blobs)
		ids = append(ids, idsOf(t, records)...)
	}
	slices.Sort(ids)
	require.Greater(t, times, 20)
	require.Equal(t, of.Issued(simulator.UnifiedAudit), ids)
	require.Greater(t, got, len(ids)) // blobs repeat records

	// Windows end to end hold every blob once.
	whole, _ := contents(t, client, microsoft365.ContentEntra, window)
	first, _ := contents(t, client, microsoft365.ContentEntra, microsoft365.Window{From: noon, To: noon.Add(6 * time.Hour)})
	second, _ := contents(t, client, microsoft365.ContentEntra, microsoft365.Window{From: noon.Add(6 * time.Hour), To: window.To})
	require.Equal(t, whole, append(first, second...))
}

func TestAuditContentLimits(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Page, o.BlobEvery = 2, 2*time.Second })
	of, client := s.tenant(t, s.detection)
	ctx := t.Context()
	of.SubscribedSince(string(microsoft365.ContentExchange), noon.AddDate(0, 0, -30))
	of.Attack(simulator.TokenTheft, noon)
	s.clock.Advance(3 * time.Hour)
	window := microsoft365.Window{From: noon, To: noon.Add(3 * time.Hour)}
	blobs, _ := contents(t, client, microsoft365.ContentExchange, window)
	require.Greater(t, len(blobs), 2)

	// A place that was forgotten: the window begins again.
	got, pages := map[string]bool{}, 0
	for page, err := range client.Contents(ctx, microsoft365.ContentExchange, window, "") {
		require.NoError(t, err)
		if pages++; pages == 1 {
			s.clock.Advance(2 * time.Hour)
		}
		for _, c := range page.Contents {
			got[c.ID] = true
		}
	}
	require.Len(t, got, len(blobs))

	for _, w := range []microsoft365.Window{{From: noon, To: noon.Add(25 * time.Hour)}, {From: noon, To: noon}} {
		for _, err := range client.Contents(ctx, microsoft365.ContentExchange, w, "") {
			reason(t, microsoft365.ReasonInvalid, err)
		}
	}
	s.clock.Advance(8 * 24 * time.Hour)
	for _, err := range client.Contents(ctx, microsoft365.ContentExchange, window, "") {
		reason(t, microsoft365.ReasonInvalid, err)
	}
	before := s.budget.count(microsoft365.FamilyManagement)
	_, err := client.Blob(ctx, blobs[0])
	reason(t, microsoft365.ReasonExpired, err)
	require.Equal(t, before, s.budget.count(microsoft365.FamilyManagement)) // not even asked for
	blobs[0].Expires = time.Time{}
	_, err = client.Blob(ctx, blobs[0])
	reason(t, microsoft365.ReasonExpired, err)
	blobs[0].Address = "https://192.0.2.1/api/v1.0/x"
	_, err = client.Blob(ctx, blobs[0])
	reason(t, microsoft365.ReasonRefused, err)
}

func TestThrottling(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Limits = true })
	of, client := s.tenant(t, s.detection)
	window := microsoft365.Window{From: noon.Add(-time.Hour), To: noon}
	read := func() error {
		for _, err := range client.SignIns(t.Context(), microsoft365.SignInInteractive, window, "") {
			return err
		}
		return nil
	}
	for range microsoft365.Limits[microsoft365.FamilyReports].Calls {
		require.NoError(t, read())
	}
	e := reason(t, microsoft365.ReasonThrottled, read())
	require.True(t, e.Retryable)
	require.Equal(t, 11*time.Second, e.RetryAfter)
	require.Equal(t, []time.Duration{11 * time.Second}, s.budget.rests)
	require.InDelta(t, 1.0, s.detection.Traffic()[microsoft365.FamilyReports].Pressure, 0.01)

	// Until then it isn't even tried, and other families go on.
	asked := s.cloud.Requests()["GET beta/auditLogs/signIns"]
	s.clock.Advance(5 * time.Second)
	e = reason(t, microsoft365.ReasonThrottled, read())
	require.Equal(t, 6*time.Second, e.RetryAfter)
	require.Equal(t, asked, s.cloud.Requests()["GET beta/auditLogs/signIns"])
	_, err := client.Plans(t.Context())
	require.NoError(t, err)
	s.clock.Advance(7 * time.Second)
	require.NoError(t, read())

	// Without a Retry-After the rests double.
	of.Faults.Set(psa.Fault{Resource: "v1.0/subscribedSkus", Status: 429, Times: 3})
	for _, rest := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
		_, err := client.Plans(t.Context())
		require.Equal(t, rest, reason(t, microsoft365.ReasonThrottled, err).RetryAfter)
		s.clock.Advance(rest)
	}
	_, err = client.Plans(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, s.detection.Traffic()[microsoft365.FamilyDirectory].Throttled)
	require.EqualValues(t, 1, s.detection.Traffic()[microsoft365.FamilyReports].Throttled)

	// The budget has the last word.
	s.budget.refuse = errBudget
	_, err = client.Plans(t.Context())
	require.ErrorIs(t, err, errBudget)
	s.budget.refuse = microsoft365.Wait(3 * time.Second)
	_, err = client.Plans(t.Context())
	e = reason(t, microsoft365.ReasonThrottled, err)
	require.Equal(t, 3*time.Second, e.RetryAfter)
	require.Equal(t, "read the tenant's licences", e.Doing)
}

func TestAttackLeavesTraces(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, client := s.tenant(t, s.detection)
	attack := of.Attack(simulator.OldCompromise, noon)
	s.clock.Advance(2 * time.Hour)
	users, _, _ := changes(t, client, "")
	require.Len(t, users, len(of.World().Accounts)+1) // the look-alike
	var double string
	for _, planted := range attack.Manifest {
		if planted.Behaviour == simulator.MailboxForwarding {
			victim := of.World().Accounts[0]
			box, err := client.Mailbox(t.Context(), victim.ObjectID.String())
			require.NoError(t, err)
			require.True(t, box.Forwards())
		}
	}
	for _, u := range users {
		if roles, err := client.DirectoryRoles(t.Context(), u.ObjectID); err == nil && len(roles) > 0 && u.CreatedAt.After(noon) {
			double = u.ObjectID
		}
	}
	require.NoError(t, uuid.Validate(double))
}
