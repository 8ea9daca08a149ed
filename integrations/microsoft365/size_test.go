package microsoft365_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
)

// TestSizes reads tenants of all sizes as they are paged at Microsoft.
func TestSizes(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.World = simulator.New(simulator.Config{Seed: 7, Intensity: 0.2}) })
	for name, people := range map[string]int{"Contoso": 5, "Fabrikam": 5000} {
		grown := s.cloud.Add(s.cloud.World().Grow(name, people, true))
		grown.Consent(detectionID)
		// Whoever reads so much is watched elsewhere: the document's check is slow.
		client, err := s.app(t, detectionID, func(c *microsoft365.Config) { c.Client = s.cloud.Client() }).Tenant(grown.ID)
		require.NoError(t, err)
		users, pages, _ := changes(t, client, "")
		require.Len(t, users, people)
		require.Equal(t, (people+199)/200, pages)
		names := map[string]bool{}
		for _, u := range users {
			names[u.UserPrincipalName] = true
		}
		require.Len(t, names, people)
		mailboxes, err := client.Mailboxes(t.Context())
		require.NoError(t, err)
		require.Len(t, mailboxes, people)

		grown.Live(noon.Add(-6 * time.Hour))
		var got []json.RawMessage
		for _, kind := range bothKinds {
			got = append(got, all(t, client.SignIns(t.Context(), kind, microsoft365.Window{From: noon.Add(-6 * time.Hour), To: noon}, ""))...)
		}
		require.Equal(t, grown.Issued(simulator.SignIns), idsOf(t, got))
	}
}
