package microsoft365_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// TestStorm polls a tenant through everything that can go wrong at once, with a
// trailing window for what comes late and a checkpoint for content. In the end
// each record that Microsoft issued was got.
func TestStorm(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) {
		o.Page, o.Limits, o.Late, o.PlaceLife = 60, true, nil, 20*time.Minute
	})
	of, client := s.tenant(t, s.detection)
	ctx := t.Context()
	for _, kind := range contentKinds {
		of.SubscribedSince(string(kind), noon.Add(-time.Minute))
	}
	of.Duplicate(true)
	of.Live(noon)
	of.Attack(simulator.TokenTheft, noon.Add(30*time.Minute))
	of.Attack(simulator.Spray, noon.Add(2*time.Hour))

	got := map[simulator.Log]map[string]bool{simulator.SignIns: {}, simulator.UnifiedAudit: {}}
	keep := func(log simulator.Log, records []json.RawMessage) {
		for _, id := range idsOf(t, records) {
			got[log][id] = true
		}
	}
	// wait is what a caller does with a failure: it must be one that time mends.
	failures := map[microsoft365.Reason]int{}
	wait := func(err error) {
		retryable, after, why := microsoft365.Retry(err)
		require.True(t, retryable, "%v", err)
		failures[why]++
		s.clock.Advance(max(after, time.Second))
	}
	signIns := func(kind microsoft365.SignInKind, w microsoft365.Window) {
		for from, done := "", false; !done; {
			done = true
			for page, err := range client.SignIns(ctx, kind, w, from) {
				if err != nil {
					wait(err)
					done = false
					break
				}
				keep(simulator.SignIns, page.Records)
				from = page.Next // it goes on where it was thrown out
			}
		}
	}
	content := func(kind microsoft365.ContentType, w microsoft365.Window) {
		for done := false; !done; {
			done = true
			for page, err := range client.Contents(ctx, kind, w, "") {
				for i := 0; err == nil && i < len(page.Contents); {
					records, blobErr := client.Blob(ctx, page.Contents[i])
					if blobErr != nil {
						wait(blobErr)
						continue
					}
					keep(simulator.UnifiedAudit, records)
					i++
				}
				if err != nil {
					wait(err)
					done = false
					break
				}
			}
		}
	}
	trouble := []func(){
		func() { of.Faults.Set(psa.Fault{Rate: 0.3, Times: 5, Status: 429, RetryAfter: 2}) },
		func() { of.Faults.Set(psa.Fault{Rate: 0.3, Times: 5, Status: 429}) },
		func() {
			of.Faults.Set(psa.Fault{Rate: 0.3, Times: 5, Status: 503}, psa.Fault{Rate: 0.2, Times: 3, Drop: true})
		},
		func() { of.Faults.Set(psa.Fault{Rate: 0.3, Times: 4, Status: 500, HTML: true}) },
		func() { s.clock.Advance(time.Second); s.cloud.KillTokens(); s.clock.Advance(time.Second) },
		func() { of.RepeatPages(2) },
		func() { of.LosePages("signIns", 2) },
		func() { s.cloud.Login.Set(psa.Fault{Status: 503, Times: 2}); client.DropTokens() },
	}
	checkpoint := noon
	for round := range 2 * len(trouble) {
		s.clock.Advance(20 * time.Minute)
		trouble[round%len(trouble)]()
		now := s.clock.Now()
		for _, kind := range bothKinds {
			signIns(kind, microsoft365.Window{From: now.Add(-2 * time.Hour), To: now})
		}
		now = now.Truncate(time.Second)
		for _, kind := range contentKinds {
			content(kind, microsoft365.Window{From: checkpoint, To: now})
		}
		checkpoint = now
	}
	require.Positive(t, failures[microsoft365.ReasonThrottled])
	require.Positive(t, failures[microsoft365.ReasonUnavailable])

	// Time goes on while all of it is read once more, so what is issued by now
	// is looked at first.
	issued := map[simulator.Log][]string{simulator.SignIns: of.Issued(simulator.SignIns), simulator.UnifiedAudit: of.Issued(simulator.UnifiedAudit)}
	now := s.clock.Now().Truncate(time.Second).Add(time.Second)
	for _, kind := range bothKinds {
		signIns(kind, microsoft365.Window{From: now.Add(-2 * time.Hour), To: now})
	}
	for _, kind := range contentKinds {
		content(kind, microsoft365.Window{From: checkpoint, To: now})
	}
	for log, ids := range issued {
		require.NotEmpty(t, ids)
		missing := slices.DeleteFunc(ids, func(id string) bool { return got[log][id] })
		require.Empty(t, missing, log)
	}
}
