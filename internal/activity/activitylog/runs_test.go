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

// A look-up skips what lies outside its time range: it must miss nothing within,
// nor the range's ends, nor what lies before 1970.
func TestLookUpsFindEveryTime(t *testing.T) {
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
			require.Contains(f, plan, "SEARCH activities USING INDEX "+index+" (run=? AND "+strings.TrimPrefix(index, "activities_"), "%s", plan)
		}
	})
}

// runs returns how many records each of the log's runs has, the first first.
func (f fixture) runs() (records []int) {
	f.Helper()
	rows, err := f.db.Reader().QueryContext(f.ctx, "SELECT records FROM activity_runs ORDER BY run")
	require.NoError(f, err)
	defer rows.Close()
	for rows.Next() {
		var n int
		require.NoError(f, rows.Scan(&n))
		records = append(records, n)
	}
	require.NoError(f, rows.Err())
	return records
}

// Ensure a run takes batches until it is full, that a look-up goes through all
// of them, and that a run goes with the last of its records.
func TestRunsFillAndGo(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		const batches, size = 5, 8_192
		newest := t0.Add(24 * time.Hour) // later than t0, when all of them are stored
		for n := range batches {
			batch := make([]*activity.Activity, size)
			for i := range batch {
				batch[i] = f.record(fmt.Sprint(n, " ", i), func(a *activity.Activity) {
					a.OccurredAt = newest.Add(-time.Duration(n*size+i) * time.Second)
					if i == 0 {
						a.AccountID = "account_a"
					}
				})
			}
			f.append(batch...)
		}
		f.append(f.record("1 1", func(a *activity.Activity) { a.OccurredAt = newest.Add(-(size + 1) * time.Second) })) // known
		require.Equal(f, []int{2 * size, 2 * size, size}, f.runs())
		all := activitylog.Filter{TenantIDs: []string{f.tenant}, AccountIDs: []string{"account_a"}}
		n, err := f.log.Count(f.ctx, all)
		require.NoError(f, err)
		require.Equal(f, batches, n)

		_, err = f.log.Prune(f.ctx, newest.Add(-(2*size+10)*time.Second), 1000)
		require.NoError(f, err)
		require.Equal(f, []int{2 * size, 11}, f.runs())
	})
}

// Ensure a record is found at the time its newer version gives it.
func TestRunsFollowAChangedTime(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		version := func(at time.Time, raw string) *activity.Activity {
			return f.record("moved", func(a *activity.Activity) { a.OccurredAt, a.SessionID, a.Raw = at, "session", []byte(raw) })
		}
		for i, minutes := range []int{30, 10, 50} { // all of one hour
			at := t0.Add(time.Duration(minutes) * time.Minute)
			f.append(version(at, `{"Agent":"`+strings.Repeat("x", i)+`"}`)) // the longer is the newer
			n, err := f.log.Count(f.ctx, activitylog.Filter{SessionIDs: []string{"session"}, From: at, To: at.Add(time.Second)})
			require.NoError(f, err)
			require.Equal(f, 1, n, "at %d minutes", minutes)
		}
		require.Equal(f, []int{1}, f.runs())
	})
}
