// Package activitylog stores activity and finds it again. It is no set of
// entities: records come by the thousand, are searched by time, account,
// session, address, operation and text, and go by age. The raw record is kept
// whole; what a search needs stands beside it in columns, and everything else
// of an Activity is read from the raw record again.
//
// What may not live here: judgement, enrichment, parsing.
package activitylog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Parse reads a stored record again; shape is the Activity's Shape.
type Parse func(shape string, raw []byte) (activity.Activity, error)

// Log is the activity log in Cairn's own database.
type Log struct {
	db    *database.DB
	parse Parse
}

// New returns the log kept in db.
func New(db *database.DB, parse Parse) *Log { return &Log{db: db, parse: parse} }

// columns are the stored columns, in the order row() gives and scan() takes them.
var columns = []string{
	"id", "organization_id", "tenant_id", "account_id", "source", "shape", "occurred_at", "recorded_at",
	"operation", "result", "address", "country", "network_number", "network_owner", "network_kind",
	"session_id", "application_id", "subject", "sender", "digest", "raw",
}

func row(a *activity.Activity, digest []byte, recordedAt time.Time) []any {
	address := ""
	if a.Address.IsValid() {
		address = a.Address.String()
	}
	return []any{
		a.ID, a.OrganizationID, a.TenantID, a.AccountID, string(a.Source), a.Shape, a.OccurredAt, recordedAt,
		a.Operation, string(a.Result), address, a.Country, int64(a.Network.Number), a.Network.Owner, string(a.Network.Kind),
		a.SessionID, a.Application.ID, a.Subject, a.Sender, digest, string(a.Raw),
	}
}

// digestOf tells versions of one record apart.
func digestOf(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:16]
}

// scan rebuilds an activity: the raw record says what happened, the columns
// say what was known of account and network when it came in.
func (l *Log) scan(rows *sql.Rows) (*activity.Activity, error) {
	var id, organizationID, tenantID, accountID, source, shape, operation, result, address, raw string
	var country, owner, kind, sessionID, applicationID, subject, sender string
	var occurredAt, recordedAt time.Time
	var number int64
	var digest []byte
	err := rows.Scan(&id, &organizationID, &tenantID, &accountID, &source, &shape, &occurredAt, &recordedAt,
		&operation, &result, &address, &country, &number, &owner, &kind,
		&sessionID, &applicationID, &subject, &sender, &digest, &raw)
	if err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	a, err := l.parse(shape, []byte(raw))
	if err != nil {
		return nil, fmt.Errorf("activity %s: stored record can't be read again: %w", id, err)
	}
	a.ID, a.OrganizationID, a.TenantID, a.AccountID = id, organizationID, tenantID, accountID
	a.Source, a.Shape, a.OccurredAt = activity.Source(source), shape, occurredAt.UTC()
	a.Operation, a.Result = operation, activity.Result(result)
	a.Address = netip.Addr{}
	if address != "" {
		if a.Address, err = netip.ParseAddr(address); err != nil {
			return nil, fmt.Errorf("activity %s: address: %w", id, err)
		}
	}
	a.Country = country
	a.Network = activity.Network{Number: uint32(number), Owner: owner, Kind: activity.NetworkKind(kind)} //nolint:gosec // stored from a uint32
	a.SessionID, a.Application.ID, a.Subject, a.Sender = sessionID, applicationID, subject, sender
	return &a, nil
}

// Get returns the activities with these ids that lie within the scope of ctx;
// the others are absent from the map.
func (l *Log) Get(ctx context.Context, ids []string) (map[string]*activity.Activity, error) {
	out := make(map[string]*activity.Activity, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	s, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("read activities: %w", err)
	}
	q := newQuery(l.db.Dialect())
	q.scope(s)
	q.in("id", ids)
	list, err := l.list(ctx, q.statement(selectColumns, "", 0), q.args)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		out[a.ID] = a
	}
	return out, nil
}

func (l *Log) list(ctx context.Context, statement string, args []any) (_ []*activity.Activity, err error) {
	rows, err := l.db.Reader().QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("search activities: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []*activity.Activity
	for rows.Next() {
		a, err := l.scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}
