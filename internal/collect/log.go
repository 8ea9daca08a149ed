package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/collector"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
)

// How far back Microsoft keeps sign-ins and directory audits.
// Source: learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention.
const (
	reachPremium = 30 * 24 * time.Hour
	reachFree    = 7 * 24 * time.Hour
)

// batchRecords is how many records one transaction takes in.
const batchRecords = 500

// readLog reads a log that is listed by when things happened. Its records appear
// late and in no order, so every reading begins again some time before the last.
func (r *reading) readLog(ctx context.Context) error {
	reach := reachFree
	if r.premium {
		reach = reachPremium
	}
	now := r.Now()
	from := now.Add(-reach)
	if until := r.row.ReadUntil; until != nil && until.After(from) {
		from = *until
	}
	for {
		to := from.Add(r.Pace.Window)
		if to.After(now) {
			to = now
		}
		window := microsoft365.Window{From: from.Add(-r.Pace.Overlap), To: to}
		for page, err := range r.pages(ctx, window) {
			if err != nil {
				return err
			}
			if err := r.take(ctx, page.Records, nil); err != nil {
				return err
			}
		}
		// The place moves once all of the window is in: pages come newest first.
		if err := r.take(ctx, nil, func(u *ent.CollectorUpdateOne) { u.SetReadUntil(to) }); err != nil {
			return err
		}
		if !to.Before(now) {
			return nil
		}
		from = to
	}
}

func (r *reading) pages(ctx context.Context, w microsoft365.Window) func(func(microsoft365.Page, error) bool) {
	switch r.row.Source {
	case collector.SourceDirectoryAudits:
		return r.directory.DirectoryAudits(ctx, w, "")
	case collector.SourceNonInteractiveSignIns:
		return r.directory.SignIns(ctx, microsoft365.SignInNonInteractive, w, "")
	default:
		return r.directory.SignIns(ctx, microsoft365.SignInInteractive, w, "")
	}
}

// readContent reads a part of the unified audit log, which is listed by when
// content became available: what comes late is listed late, and none is missed.
func (r *reading) readContent(ctx context.Context) error {
	kind := contentOf[r.row.Source]
	if r.row.CaughtUpAt == nil || r.row.FailingSince != nil {
		if err := r.directory.StartSubscription(ctx, kind); err != nil {
			return err
		}
	}
	now := r.Now().Truncate(time.Second)
	from := now.Add(-microsoft365.ContentReach).Add(time.Minute)
	if until := r.row.ReadUntil; until != nil && until.After(from) {
		from = *until
	}
	for from.Before(now) {
		to := from.Add(microsoft365.ContentWindow)
		if to.After(now) {
			to = now
		}
		if err := r.readBlobs(ctx, kind, microsoft365.Window{From: from, To: to}); err != nil {
			return err
		}
		if err := r.take(ctx, nil, func(u *ent.CollectorUpdateOne) { u.SetReadUntil(to) }); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// readBlobs takes in what became available within a window.
func (r *reading) readBlobs(ctx context.Context, kind microsoft365.ContentType, w microsoft365.Window) error {
	for page, err := range r.directory.Contents(ctx, kind, w, "") {
		if err != nil {
			return err
		}
		for _, blob := range page.Contents {
			records, err := r.directory.Blob(ctx, blob)
			if microsoft365.Is(err, microsoft365.ReasonExpired) {
				continue // Microsoft has it no more
			}
			if err != nil {
				return err
			}
			if err := r.take(ctx, records, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes records in, in batches, each with what the row learns of it; set
// is written with the last. A record that can't be read costs itself alone.
func (r *reading) take(ctx context.Context, records []json.RawMessage, set func(*ent.CollectorUpdateOne)) error {
	for {
		n := min(len(records), batchRecords)
		batch, rejected := r.parse(ctx, records[:n])
		records = records[n:]
		p := progress{rejected: rejected, latest: latestOf(batch)}
		if len(records) == 0 {
			p.set = set
		}
		if err := r.takeBatch(ctx, batch, p); err != nil {
			return err
		}
		if len(records) == 0 {
			return nil
		}
	}
}

// progress is what the row learns of a batch.
type progress struct {
	rejected int64
	latest   time.Time
	set      func(*ent.CollectorUpdateOne)
}

func latestOf(batch []*activity.Activity) (latest time.Time) {
	for _, a := range batch {
		if a.OccurredAt.After(latest) {
			latest = a.OccurredAt
		}
	}
	return latest
}

func (r *reading) takeBatch(ctx context.Context, batch []*activity.Activity, p progress) error {
	store := func(ctx context.Context, tx *database.Tx) error { return r.store(ctx, tx, p) }
	if len(batch) > 0 {
		result, err := r.intake.Take(ctx, r.tenant, batch, store)
		if err != nil {
			return err
		}
		return r.counted(ctx, result.New)
	}
	if p.rejected == 0 && p.set == nil {
		return nil
	}
	return r.DB.InTx(ctx, store)
}

// store writes what the row learns, as long as it is this reading's.
func (r *reading) store(ctx context.Context, tx *database.Tx, p progress) error {
	if err := r.claim.Check(ctx, tx); err != nil {
		return err
	}
	update := tx.Client.Collector.UpdateOneID(r.row.ID).AddRejected(p.rejected)
	if p.set != nil {
		p.set(update)
	}
	if !p.latest.IsZero() && (r.row.LastRecordAt == nil || p.latest.After(*r.row.LastRecordAt)) {
		update.SetLastRecordAt(p.latest)
	}
	row, err := update.Save(ctx)
	if err != nil {
		return fmt.Errorf("note how far %s was read: %w", r.row.Source, err)
	}
	row.Edges = r.row.Edges
	r.row = row
	return nil
}

// counted adds to the number of records that were new. It helps whoever looks,
// and is no part of what was stored.
func (r *reading) counted(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	return r.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.Collector.UpdateOneID(r.row.ID).AddRecords(int64(n)).Exec(ctx)
	})
}

// parse makes activities of raw records. Records of other tenants, which a
// guest's sign-in may bring, are left out; what can't be read is counted.
func (r *reading) parse(ctx context.Context, records []json.RawMessage) (batch []*activity.Activity, rejected int64) {
	latest := r.Now().Add(activity.MaxFuture)
	for _, raw := range records {
		a, err := format.Parse(raw)
		var skipped *format.SkipError
		switch {
		case errors.As(err, &skipped):
			continue
		case err == nil && a.OccurredAt.After(latest):
			err = errors.New("it lies in the future")
		}
		if err != nil {
			rejected++
			r.Logger.WarnContext(ctx, "a record of Microsoft's can't be read and is left out", "tenant", r.tenant.ID, "source", r.row.Source, "error", err)
			continue
		}
		if a.MicrosoftTenantID != "" && !a.Claim(r.directory.ID) {
			continue
		}
		r.intake.Prepare(r.tenant, &a)
		batch = append(batch, &a)
	}
	return batch, rejected
}
