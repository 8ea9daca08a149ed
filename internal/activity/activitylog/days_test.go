package activitylog_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
)

// A look-up goes through the days one by one: it must miss none of them, nor
// the ends of a time range, nor what lies before 1970.
func TestLookUpsFindEveryDay(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		address := netip.MustParseAddr("198.51.100.7")
		var batch []*activity.Activity
		want := map[string]string{}
		for i, at := range []time.Time{
			time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
			t0.AddDate(0, 0, -40), t0.Truncate(24 * time.Hour).Add(-time.Microsecond), t0.Truncate(24 * time.Hour), t0, t0.AddDate(0, 0, 3),
		} {
			a := f.record(fmt.Sprintf("v%d", i), func(a *activity.Activity) {
				a.OccurredAt, a.AccountID, a.SessionID, a.Address = at, "account_a", "session", address
			})
			batch = append(batch, a, f.record(fmt.Sprintf("other%d", i), func(a *activity.Activity) {
				a.OccurredAt, a.AccountID, a.SessionID, a.Address = at, "account_b", "another", address.Next()
			}))
			want[a.ID] = a.VendorID
		}
		f.append(batch...)
		require.Len(f, want, 7)
		for name, filter := range map[string]activitylog.Filter{
			"session":           {SessionIDs: []string{"session"}},
			"session of tenant": {SessionIDs: []string{"session"}, TenantIDs: []string{f.tenant}},
			"account of tenant": {AccountIDs: []string{"account_a"}, TenantIDs: []string{f.tenant}},
			"address":           {Addresses: []netip.Addr{address}},
			"all three":         {AccountIDs: []string{"account_a"}, TenantIDs: []string{f.tenant}, SessionIDs: []string{"session"}, Addresses: []netip.Addr{address}},
		} {
			found, err := f.log.Search(f.ctx, filter, activitylog.Page{Limit: 100, Ascending: true})
			require.NoError(f, err, name)
			require.Len(f, found, len(want), name)
			for i, e := range found {
				require.Contains(f, want, e.ID, name)
				require.True(f, i == 0 || found[i-1].OccurredAt.Before(e.OccurredAt), name)
			}
			n, err := f.log.Count(f.ctx, filter)
			require.NoError(f, err, name)
			require.Equal(f, len(want), n, name)

			filter.From, filter.To = t0.AddDate(0, 0, -40), t0
			n, err = f.log.Count(f.ctx, filter)
			require.NoError(f, err, name)
			require.Equal(f, 3, n, "%s: from is in, to is not", name)

			filter.From, filter.To = t0.AddDate(0, 0, 4), time.Time{}
			n, err = f.log.Count(f.ctx, filter)
			require.NoError(f, err, name)
			require.Zero(f, n, name)
		}
	})
}

// A look-up must use its index: an account of ten thousand is not found by
// reading all of them. SQLite's plans are the same every time, so it is asked.
func TestLookUpsUseTheirIndex(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		if f.db.Dialect() != database.SQLite {
			return
		}
		f.append(f.record("v", func(a *activity.Activity) { a.AccountID = "account_a" }))
		for index, filter := range map[string]activitylog.Filter{
			"activities_account": {AccountIDs: []string{"account_a", "account_b"}, TenantIDs: []string{f.tenant}},
			"activities_session": {SessionIDs: []string{"session"}},
			"activities_address": {Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, From: t0.AddDate(0, -1, 0)},
		} {
			plan := strings.Join(f.log.Plan(f.ctx, f, filter, activitylog.Page{Limit: 50}), "\n")
			require.Contains(f, plan, "SEARCH activities USING INDEX "+index+" (tenant_id=? AND day=? AND "+strings.TrimPrefix(index, "activities_"), "%s", plan)
		}
	})
}
