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

// columns are the stored columns, in the order row() gives them.
var columns = []string{
	"id", "organization_id", "tenant_id", "account_id", "source", "shape", "occurred_at", "run", "recorded_at",
	"operation", "result", "address", "country", "network_number", "network_owner", "network_kind",
	"session_id", "application_id", "subject", "sender", "digest", "raw",
}

func row(a *activity.Activity, run int64, recordedAt time.Time) []any {
	address := ""
	if a.Address.IsValid() {
		address = a.Address.String()
	}
	return []any{
		a.ID, a.OrganizationID, a.TenantID, a.AccountID, string(a.Source), a.Shape, a.OccurredAt, run, recordedAt,
		a.Operation, string(a.Result), address, a.Country, int64(a.Network.Number), a.Network.Owner, string(a.Network.Kind),
		a.SessionID, a.Application.ID, a.Subject, a.Sender, a.Digest, string(a.Raw),
	}
}

// Entry is an activity as the log lists it: what stands in columns, and no
// more. What the record alone says is left empty until Complete fills it in.
type Entry struct {
	activity.Activity

	RawBytes int64 // how long the raw record is
}

// listed are the columns of an Entry, in the order scanEntry takes them. The
// raw record is not read for its length: both databases keep that beside it.
var listed = []string{
	"id", "organization_id", "tenant_id", "account_id", "source", "shape", "occurred_at",
	"operation", "result", "address", "country", "network_number", "network_owner", "network_kind",
	"session_id", "application_id", "subject", "sender", "octet_length(raw)",
}

// scanEntry reads a row of listed, and what the statement selects behind it.
func scanEntry(rows *sql.Rows, more ...any) (*Entry, error) {
	var e Entry
	var address string
	var number int64
	into := []any{
		&e.ID, &e.OrganizationID, &e.TenantID, &e.AccountID, &e.Source, &e.Shape, &e.OccurredAt,
		&e.Operation, &e.Result, &address, &e.Country, &number, &e.Network.Owner, &e.Network.Kind,
		&e.SessionID, &e.Application.ID, &e.Subject, &e.Sender, &e.RawBytes,
	}
	if err := rows.Scan(append(into, more...)...); err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	e.OccurredAt = e.OccurredAt.UTC()
	e.Network.Number = uint32(number) //nolint:gosec // stored from a uint32
	if address != "" {
		var err error
		if e.Address, err = netip.ParseAddr(address); err != nil {
			return nil, fmt.Errorf("activity %s: address: %w", e.ID, err)
		}
	}
	return &e, nil
}

// Complete returns the whole activity: its raw record says what happened, the
// entry what was known of account and network when it came in.
func (l *Log) Complete(e *Entry, raw []byte) (*activity.Activity, error) {
	a, err := l.parse(e.Shape, raw)
	if err != nil {
		return nil, fmt.Errorf("activity %s: stored record can't be read again: %w", e.ID, err)
	}
	a.ID, a.OrganizationID, a.TenantID, a.AccountID = e.ID, e.OrganizationID, e.TenantID, e.AccountID
	a.Source, a.Shape, a.OccurredAt, a.Operation, a.Result = e.Source, e.Shape, e.OccurredAt, e.Operation, e.Result
	a.Address, a.Country, a.Network = e.Address, e.Country, e.Network
	a.SessionID, a.Application.ID, a.Subject, a.Sender = e.SessionID, e.Application.ID, e.Subject, e.Sender
	a.Raw = raw
	return &a, nil
}

// Get returns the activities with these ids that lie within the scope of ctx;
// the others are absent from the map.
func (l *Log) Get(ctx context.Context, ids []string) (map[string]*Entry, error) {
	out := make(map[string]*Entry, len(ids))
	q, err := l.withIDs(ctx, ids)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	list, err := l.list(ctx, q.statement(selectListed, "", 0), q.args)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		out[e.ID] = e
	}
	return out, nil
}

// Raw returns the raw records of the activities with these ids that lie within
// the scope of ctx. It holds all of them in memory: the caller knows from the
// entries how long they are.
func (l *Log) Raw(ctx context.Context, ids []string) (map[string][]byte, error) {
	out := make(map[string][]byte, len(ids))
	q, err := l.withIDs(ctx, ids)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	return out, l.each(ctx, q.statement("id, raw", "", 0), q.args, func(rows *sql.Rows) error {
		var id string
		var raw []byte
		err := rows.Scan(&id, &raw)
		out[id] = raw
		return err
	})
}

func (l *Log) withIDs(ctx context.Context, ids []string) (*query, error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("read activities: %w", err)
	}
	q := newQuery(l.db.Dialect())
	q.scope(s)
	q.in("id", ids)
	return q, nil
}

func (l *Log) list(ctx context.Context, statement string, args []any) (out []*Entry, err error) {
	err = l.each(ctx, statement, args, func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		out = append(out, e)
		return err
	})
	return out, err
}

// each hands the rows of a statement over, one by one.
func (l *Log) each(ctx context.Context, statement string, args []any, row func(*sql.Rows) error) (err error) {
	rows, err := l.db.Reader().QueryContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("search activities: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return fmt.Errorf("read activities: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read activities: %w", err)
	}
	return nil
}
