package activitylog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// reread stands in for the format package: the log's own duties do not depend on it.
func reread(_ string, raw []byte) (activity.Activity, error) {
	var r struct{ Agent string }
	err := json.Unmarshal(raw, &r)
	return activity.Activity{UserAgent: r.Agent, Raw: raw}, err
}

type fixture struct {
	*testing.T

	ctx    context.Context
	db     *database.DB
	log    *activitylog.Log
	org    string
	tenant string
}

func each(t *testing.T, test func(f fixture)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, o := databasetest.Organization(t, db, "MSP")
		tn := databasetest.Tenant(ctx, t, db, "contoso")
		test(fixture{t, ctx, db, activitylog.New(db, reread), o.ID, tn.ID})
	})
}

func (f fixture) record(vendorID string, change func(*activity.Activity)) *activity.Activity {
	a := &activity.Activity{
		Source: activity.SourceUnifiedAudit, VendorID: vendorID, OccurredAt: t0, Operation: "Send",
		Result: activity.ResultSuccess, Raw: []byte(`{"Agent":"` + vendorID + `"}`),
	}
	if change != nil {
		change(a)
	}
	a.Identify(f.org, f.tenant)
	return a
}

func (f fixture) append(batch ...*activity.Activity) activitylog.Appended {
	f.Helper()
	var out activitylog.Appended
	require.NoError(f, f.db.InTx(f.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = f.log.Append(ctx, tx, batch, t0)
		return err
	}))
	return out
}

// Ensure a record is stored once however often it comes, and comes back whole.
func TestAppendOnce(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		full := f.record("full", func(a *activity.Activity) {
			a.AccountID, a.Address, a.Country = "account_x", netip.MustParseAddr("2001:db8::1"), "NL"
			a.Network = activity.Network{Number: 4_200_000_000, Owner: "Example Net", Kind: activity.NetworkConsumer}
			a.SessionID, a.Application.ID, a.Subject, a.Sender = "s", "app", "sub", "from"
			a.OccurredAt = t0.Add(123456 * time.Microsecond)
		})
		out := f.append(full, f.record("b", nil), f.record("b", nil))
		require.Len(f, out.New, 2)
		require.Equal(f, 1, out.Known)
		out = f.append(f.record("b", nil), full, f.record("c", nil))
		require.Len(f, out.New, 1)
		require.Equal(f, 2, out.Known)
		got, err := f.log.Get(f.ctx, []string{full.ID, "activity_unknown"})
		require.NoError(f, err)
		require.Len(f, got, 1)
		want := *full
		want.VendorID, want.Raw, want.Digest = "", nil, nil
		require.Equal(f, &activitylog.Entry{Activity: want, RawBytes: int64(len(full.Raw))}, got[full.ID])
		raw, err := f.log.Raw(f.ctx, []string{full.ID, "activity_unknown"})
		require.NoError(f, err)
		require.Equal(f, map[string][]byte{full.ID: full.Raw}, raw)
		whole, err := f.log.Complete(got[full.ID], raw[full.ID])
		require.NoError(f, err)
		want.Raw, want.UserAgent = full.Raw, "full" // by this test's reader
		require.Equal(f, &want, whole)
	})
}

// Ensure versions of one record end the same in either order.
func TestVersionsAnyOrder(t *testing.T) {
	t.Parallel()
	version := func(raw string) func(*activity.Activity) {
		return func(a *activity.Activity) { a.Raw = []byte(raw) }
	}
	for name, c := range map[string]struct{ loser, winner string }{
		"risk moves on":        {`{"Agent":"much longer here","riskState":"none"}`, `{"Agent":"a","riskState":"remediated"}`},
		"the fuller one":       {`{"Agent":"a"}`, `{"Agent":"a","x":1}`},
		"equal length":         {`{"Agent":"a"}`, `{"Agent":"b"}`},
		"same but white space": {`{"Agent":"a","x":1}`, `{ "x": 1, "Agent": "a" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(f fixture) {
				one, two := f.record("1", version(c.loser)), f.record("1", version(c.winner))
				same := name == "same but white space"
				require.Len(f, f.append(one).New, 1)
				out := f.append(two)
				require.Len(f, out.Changed, map[bool]int{true: 0, false: 1}[same])
				require.Equal(f, map[bool]int{true: 1, false: 0}[same], out.Known)
				require.Equal(f, 1, f.append(one).Known, "the loser does not come back")

				other := f.record("2", version(c.winner))
				f.append(other)
				require.Empty(f, f.append(f.record("2", version(c.loser))).Changed)
				inOneBatch := f.append(f.record("3", version(c.loser)), f.record("3", version(c.winner)))
				require.Len(f, inOneBatch.New, 1)
				if !same {
					require.JSONEq(f, c.winner, string(inOneBatch.New[0].Raw))
				}
			})
		})
	}
}

// Ensure every filter narrows, and both databases agree.
func TestSearchFilters(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		batch := []*activity.Activity{
			f.record("a", func(a *activity.Activity) {
				a.Source, a.Operation, a.Result, a.AccountID = activity.SourceSignIn, "UserLoginFailed", activity.ResultFailure, "account_a"
				a.Country, a.Network.Kind, a.Address = "NL", activity.NetworkHosting, netip.MustParseAddr("192.0.2.1")
				a.OccurredAt = t0.Add(time.Hour)
			}),
			f.record("b", func(a *activity.Activity) {
				a.Country, a.SessionID, a.Application.ID, a.Subject, a.Sender = "DE", "s1", "app", "Re: Invoice 100%", "ceo@fabrikam.example"
			}),
			f.record("c", func(a *activity.Activity) {
				a.Network.Kind, a.Raw = activity.NetworkUnknown, []byte(`{"Agent":"c","needle_":"ÄX"}`)
			}),
		}
		f.append(batch...)
		names := map[string]string{}
		for _, a := range batch {
			names[a.ID] = a.VendorID
		}
		find := func(filter activitylog.Filter) []string {
			list, err := f.log.Search(f.ctx, filter, activitylog.Page{Limit: 10})
			require.NoError(f, err)
			n, err := f.log.Count(f.ctx, filter)
			require.NoError(f, err)
			require.Len(f, list, n)
			var out []string
			for _, a := range list {
				out = append(out, names[a.ID])
			}
			return out
		}
		require.Len(f, find(activitylog.Filter{}), 3)
		require.Equal(f, []string{"a"}, find(activitylog.Filter{Sources: []activity.Source{activity.SourceSignIn}}))
		require.Equal(f, []string{"a"}, find(activitylog.Filter{Operations: []string{" UserLoginFailed. "}}))
		require.Equal(f, []string{"a"}, find(activitylog.Filter{Results: []activity.Result{activity.ResultFailure}}))
		require.Equal(f, []string{"a"}, find(activitylog.Filter{TenantIDs: []string{f.tenant}, AccountIDs: []string{"account_a", "account_b"}}))
		require.Equal(f, []string{"a"}, find(activitylog.Filter{From: t0.Add(time.Second)}))
		require.Len(f, find(activitylog.Filter{From: t0, To: t0.Add(time.Hour)}), 2)
		require.Equal(f, []string{"b"}, find(activitylog.Filter{Countries: []string{"DE", "FR"}}))
		require.Len(f, find(activitylog.Filter{CountriesNot: []string{"DE", "FR"}}), 2)
		require.Equal(f, []string{"a"}, find(activitylog.Filter{NetworkKinds: []activity.NetworkKind{activity.NetworkHosting}}))
		require.ElementsMatch(f, []string{"b", "c"}, find(activitylog.Filter{NetworkKinds: []activity.NetworkKind{activity.NetworkUnknown}}), "no address, or none that is known")
		require.Equal(f, []string{"b"}, find(activitylog.Filter{ApplicationIDs: []string{"app"}}))
		require.Equal(f, []string{"a"}, find(activitylog.Filter{Addresses: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1")}}))
		require.Equal(f, []string{"b"}, find(activitylog.Filter{SessionIDs: []string{"s1"}}))
		require.Equal(f, []string{"b"}, find(activitylog.Filter{Subject: "invoice"}))
		require.Equal(f, []string{"b"}, find(activitylog.Filter{Subject: "100%"}))
		require.Empty(f, find(activitylog.Filter{Subject: "1_0"}), "a pattern is no pattern")
		require.Equal(f, []string{"b"}, find(activitylog.Filter{Sender: "CEO@"}))
		require.Equal(f, []string{"c"}, find(activitylog.Filter{Text: "NEEDLE_"}))
		require.Equal(f, []string{"c"}, find(activitylog.Filter{Text: "Äx"}))
		require.Empty(f, find(activitylog.Filter{Text: "äx"}), "only ASCII case is ignored, on both databases")
		require.Empty(f, find(activitylog.Filter{TenantIDs: []string{"tenant_other"}}))
	})
}

// Ensure pages join without gap or repetition in every direction, also where
// many records share one moment.
func TestPages(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		var batch []*activity.Activity
		for i := range 25 {
			batch = append(batch, f.record(fmt.Sprintf("%02d", i), func(a *activity.Activity) { a.OccurredAt = t0.Add(time.Duration(i/5) * time.Second) }))
		}
		f.append(batch...)
		for _, ascending := range []bool{true, false} {
			all, err := f.log.Search(f.ctx, activitylog.Filter{}, activitylog.Page{Limit: 100, Ascending: ascending})
			require.NoError(f, err)
			require.Len(f, all, 25)
			var forward, backward []*activitylog.Entry
			p := activitylog.Page{Limit: 4, Ascending: ascending}
			for {
				part, err := f.log.Search(f.ctx, activitylog.Filter{}, p)
				require.NoError(f, err)
				if len(part) == 0 {
					break
				}
				forward = append(forward, part...)
				last := part[len(part)-1]
				p.Start = &activitylog.Position{OccurredAt: last.OccurredAt, ID: last.ID}
			}
			require.Equal(f, all, forward)
			p = activitylog.Page{Limit: 4, Ascending: ascending, FromEnd: true}
			for {
				part, err := f.log.Search(f.ctx, activitylog.Filter{}, p)
				require.NoError(f, err)
				if len(part) == 0 {
					break
				}
				backward = append(slices.Clip(part), backward...)
				p.End = &activitylog.Position{OccurredAt: part[0].OccurredAt, ID: part[0].ID}
			}
			require.Equal(f, all, backward)
		}
	})
}

// Ensure the log knows no context without scope, and none but its own organization.
func TestLogScope(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		a := f.record("a", nil)
		f.append(a)
		other, _ := databasetest.Organization(f.T, f.db, "other")
		got, err := f.log.Get(other, []string{a.ID})
		require.NoError(f, err)
		require.Empty(f, got)
		n, err := f.log.Count(other, activitylog.Filter{TenantIDs: []string{f.tenant}})
		require.NoError(f, err)
		require.Zero(f, n)
		_, err = f.log.Search(context.Background(), activitylog.Filter{}, activitylog.Page{Limit: 1})
		require.ErrorIs(f, err, access.ErrNoScope)
		raw, err := f.log.Raw(other, []string{a.ID})
		require.NoError(f, err)
		require.Empty(f, raw)
		_, err = f.log.Get(context.Background(), []string{a.ID})
		require.ErrorIs(f, err, access.ErrNoScope)
		_, err = f.log.Raw(context.Background(), []string{a.ID})
		require.ErrorIs(f, err, access.ErrNoScope)
		require.Error(f, f.db.InTx(other, func(ctx context.Context, tx *database.Tx) error {
			_, err := f.log.Append(ctx, tx, []*activity.Activity{a}, t0)
			return err
		}))
	})
}
