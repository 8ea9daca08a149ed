package importer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/importer"
)

func visit(id, user, userType, from, to string) string {
	return fmt.Sprintf(`{"id":%q,"createdDateTime":"2026-01-01T00:00:00Z","userPrincipalName":%q,"userId":"99999999-8888-4777-8666-555555555555",`+
		`"userType":%q,"appId":"4765445b-32c6-49b0-83e6-1d93765276ca","ipAddress":"198.51.100.7","status":{"errorCode":0},"homeTenantId":%q,"resourceTenantId":%q}`+"\n",
		id, user, userType, from, to)
}

// Ensure a sign-in across directories is a record of both, that who comes from
// elsewhere is a guest here, and that the log reads it again from the same side.
func TestVisitors(t *testing.T) {
	t.Parallel()
	const third = "8c8c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f"
	lines := visit("1", "ann@fabrikam.example", "member", home, home) +
		visit("2", "ann@fabrikam.example", "guest", home, other) + // abroad
		visit("3", "tech@partner.example", "member", other, home) +
		visit("4", "bob@partner.example", "", other, home) +
		visit("5", "eve@partner.example", "guest", other, home) +
		visit("6", "zoe@partner.example", "guest", other, third)
	want := map[string]activity.ActorKind{
		"1": activity.ActorUser, "2": activity.ActorUser, "3": activity.ActorGuest, "4": activity.ActorGuest, "5": activity.ActorGuest,
	}
	each(t, func(h house) {
		s := h.run(h.tenant("fabrikam"), importer.Options{}, text("a.json", lines))
		require.Equal(h, home, s.MicrosoftTenantID, "the directory that most records name on either side")
		require.Equal(h, []int{6, 5, 1, 1}, []int{s.Read, s.New, s.Rejected, s.Foreign})
		for vendorID, kind := range want {
			a := activity.Activity{Source: activity.SourceSignIn, VendorID: vendorID, OccurredAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			a.Identify("", s.TenantID)
			entries, err := h.log.Get(h.ctx, []string{a.ID})
			require.NoError(h, err)
			raw, err := h.log.Raw(h.ctx, []string{a.ID})
			require.NoError(h, err)
			require.Contains(h, entries, a.ID)
			read, err := h.log.Complete(entries[a.ID], raw[a.ID])
			require.NoError(h, err)
			require.Equal(h, []any{kind, home}, []any{read.Actor.Kind, read.MicrosoftTenantID}, vendorID)
		}
	})
}

// Ensure a file of which nothing was taken is named, and one of no records is not.
func TestNothingTaken(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		hunting := `{"Timestamp":"2026-01-01T00:00:00Z","ActionType":"x","ReportId":1}` + "\n"
		for content, refused := range map[string]int{
			"[]":              0,
			`{"value":[]}`:    0,
			"null\n{\"a\":1}": 1,
			hunting:           1,
			hunting + record("1", home, "2026-01-01T00:00:00"):  0,
			"null\n" + record("1", home, "2026-01-01T00:00:00"): 0,
		} {
			s := h.run(h.tenant("fabrikam"), importer.Options{}, text("a.json", content))
			require.Len(h, s.Refused, refused, content)
		}
	})
}
