package importer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// Results of an import as the audit log names them; a refused import has the
// refusal's code.
const (
	resultOK          = "OK"
	resultPartial     = "PARTIAL" // a file was refused, or its rest
	resultFailed      = "FAILED"  // it stopped, or every file was refused and nothing taken
	resultInterrupted = "INTERRUPTED"
)

// auditTimeout bounds how long an import that was interrupted waits for the
// database to write that down.
const auditTimeout = 10 * time.Second

// audit writes how the import ended, also where ctx has ended with it.
func (r *run) audit(ctx context.Context, sources []Source, err error) error {
	entry := audit.Entry{Action: "importActivity", Result: r.result(ctx, err), Detail: r.detail(sources, err)}
	if tenant.Stored(r.into) {
		entry.TenantID, entry.ObjectID = r.into.ID, r.into.ID
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if err := r.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return audit.Write(ctx, tx, r.now(), entry)
	}); err != nil {
		return fmt.Errorf("note the import in the audit log: %w", err)
	}
	return nil
}

func (r *run) result(ctx context.Context, err error) string {
	refused := refusal.From(err)
	s := &r.summary
	switch {
	case err != nil && ctx.Err() != nil:
		return resultInterrupted
	case refused != nil:
		return string(refused.Code)
	case err != nil, len(s.Refused) > 0 && s.New+s.Known+s.Changed == 0:
		return resultFailed
	case len(s.Refused) > 0:
		return resultPartial
	}
	return resultOK
}

// auditNames and auditReason bound what an entry says: an import may be of
// thousands of files.
const (
	auditNames  = 20
	auditReason = 500 // characters
)

func (r *run) detail(sources []Source, err error) string {
	s := &r.summary
	skipped := 0
	for _, n := range s.Skipped {
		skipped += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d read: %d new, %d known, %d changed, %d skipped, %d rejected; %d of %d files refused",
		s.Read, s.New, s.Known, s.Changed, skipped, s.Rejected, len(s.Refused), len(sources))
	if !tenant.Stored(r.into) {
		fmt.Fprintf(&b, "; tenant %q not made", r.into.Name)
	}
	b.WriteString("; from ")
	for i, src := range sources {
		if i == auditNames {
			fmt.Fprintf(&b, " and %d more", len(sources)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(oneLine(src.Name))
	}
	if err != nil {
		reason := []rune(oneLine(err.Error()))
		b.WriteString("; stopped by: " + string(reason[:min(len(reason), auditReason)]))
	}
	return b.String()
}
