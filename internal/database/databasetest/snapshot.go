package databasetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Snapshot is what a database says, one line a row, sorted, in a form that two
// databases share when they were told the same: ids made by chance are replaced
// by what they stand for, and what only tells when Cairn learnt of a thing is
// left out. What later records disproved depends on the order in which records
// came, and stands apart.
type Snapshot struct {
	Accounts      []string
	Activities    []string
	Findings      []string
	FailedAttacks []string
	Incidents     []string // with the findings that make them

	Superseded []string // findings and incidents
}

// snapshotID finds the ids that chance decided, in keys and texts as well.
var snapshotID = regexp.MustCompile(`(?:account|activity|tenant)_[0-9a-hjkmnp-tv-z]{26}`)

// names says what an id stands for.
type names map[string]string

func (n names) in(s string) string {
	return snapshotID.ReplaceAllStringFunc(s, func(id string) string {
		if name, ok := n[id]; ok {
			return name
		}
		return id
	})
}

// Take reads the whole database.
func Take(t testing.TB, db *database.DB) Snapshot {
	t.Helper()
	ctx := access.SystemAcrossOrganizations(context.Background(), "test")
	var s Snapshot
	n := names{}
	tenants, err := db.Client().Tenant.Query().All(ctx)
	require.NoError(t, err)
	for _, row := range tenants {
		n[row.ID] = row.Name
	}
	accounts, err := db.Client().Account.Query().All(ctx)
	require.NoError(t, err)
	for _, row := range accounts {
		n[row.ID] = row.Principal
		s.Accounts = append(s.Accounts, fmt.Sprintf("%s %s %s", n[row.TenantID], row.Principal, row.Kind))
	}
	s.Activities = n.activities(ctx, t, db)
	s.findings(ctx, t, db, n)
	s.incidents(ctx, t, db, n)
	for _, lines := range [][]string{s.Accounts, s.Activities, s.Findings, s.FailedAttacks, s.Incidents, s.Superseded} {
		slices.Sort(lines)
	}
	return s
}

// activities also learns what the activities' ids stand for: the vendor's.
func (n names) activities(ctx context.Context, t testing.TB, db *database.DB) []string {
	t.Helper()
	rows, err := db.Reader().QueryContext(ctx, "SELECT id, tenant_id, account_id, source, shape, occurred_at, operation, result, "+
		"address, country, network_number, network_kind, session_id, raw FROM activities")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var lines []string
	for rows.Next() {
		var id, tenantID, accountID, source, shape, operation, result, address, country, networkKind, session string
		var network int64
		var raw sql.RawBytes
		var occurred time.Time
		require.NoError(t, rows.Scan(&id, &tenantID, &accountID, &source, &shape, &occurred, &operation, &result,
			&address, &country, &network, &networkKind, &session, &raw))
		var vendor struct {
			ID string `json:"id"` // or Id: Go reads both
		}
		require.NoError(t, json.Unmarshal(raw, &vendor))
		n[id] = source + " " + vendor.ID
		lines = append(lines, fmt.Sprintf("%s %s (%s) %s %s %s %s %s %s %d %s %s: %s", n[tenantID], n[id], shape, n[accountID],
			occurred.UTC().Format(time.RFC3339Nano), operation, result, address, country, network, networkKind, session, raw))
	}
	require.NoError(t, rows.Err())
	return lines
}

func (s *Snapshot) findings(ctx context.Context, t testing.TB, db *database.DB, n names) {
	t.Helper()
	findings, err := db.Client().Finding.Query().All(ctx)
	require.NoError(t, err)
	for _, f := range findings {
		line := n.in(fmt.Sprintf("%s %s: %s %s %s %s, live %t, %s to %s, targets %q, links %q, evidence %q: %s", f.TenantID, f.NaturalKey,
			f.Rule, f.Severity, f.Confidence, f.Stage, f.IsLive, f.OccurredAt.UTC().Format(time.RFC3339Nano),
			f.LastAt.UTC().Format(time.RFC3339Nano), f.Targets, f.Links, f.Evidence, f.Explanation))
		if f.SupersededAt == nil {
			s.Findings = append(s.Findings, line)
		} else {
			s.Superseded = append(s.Superseded, line)
		}
	}
	failed, err := db.Client().FailedAttack.Query().All(ctx)
	require.NoError(t, err)
	for _, f := range failed {
		s.FailedAttacks = append(s.FailedAttacks, n.in(fmt.Sprintf("%s %s %s from %s (%s, %d, %s) with %s against %s: %d, known %t, %s to %s",
			f.TenantID, f.Day.UTC().Format(time.DateOnly), f.Tactic, f.Source, f.Country, f.NetworkNumber, f.NetworkKind, f.UserAgent,
			f.AccountID, f.Attempts, f.PasswordKnown, f.FirstAt.UTC().Format(time.RFC3339Nano), f.LastAt.UTC().Format(time.RFC3339Nano))))
	}
}

func (s *Snapshot) incidents(ctx context.Context, t testing.TB, db *database.DB, n names) {
	t.Helper()
	incidents, err := db.Client().Incident.Query().WithFindings().All(ctx)
	require.NoError(t, err)
	for _, i := range incidents {
		line := n.in(fmt.Sprintf("%s %s %s %s %q %s, live %t, %s to %s, of %q: %s", i.TenantID, account(i), i.Kind, i.Status, i.Title,
			i.Severity, i.IsLive, i.OccurredAt.UTC().Format(time.RFC3339Nano), i.LastActivityAt.UTC().Format(time.RFC3339Nano),
			members(i), i.Explanation))
		if i.Status == incident.StatusSuperseded {
			s.Superseded = append(s.Superseded, line)
		} else {
			s.Incidents = append(s.Incidents, line)
		}
	}
}

func account(i *ent.Incident) string {
	if i.AccountID == nil {
		return "the tenant"
	}
	return *i.AccountID
}

// members are the keys of the findings that make the incident.
func members(i *ent.Incident) []string {
	var keys []string
	for _, f := range i.Edges.Findings {
		if f.SupersededAt == nil {
			keys = append(keys, f.NaturalKey)
		}
	}
	slices.Sort(keys)
	return keys
}
