package importer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// action is the import's name in the audit log.
const action = "importActivity"

// Results of an import as the audit log names them; a refused import has the
// refusal's code.
const (
	resultStarted     = "STARTED" // its first records are in; another entry says how it ended
	resultOK          = "OK"
	resultPartial     = "PARTIAL" // a file was refused, or its rest
	resultFailed      = "FAILED"  // it stopped, or every file was refused and nothing taken
	resultInterrupted = "INTERRUPTED"
)

// auditTimeout bounds how long an import that was interrupted waits for the
// database to write that down.
const auditTimeout = 10 * time.Second

// auditStart notes that the import has begun to store records, in the
// transaction that stores the first: a process that is killed leaves that.
func (r *run) auditStart(ctx context.Context, tx *database.Tx, into *ent.Tenant) error {
	return audit.Write(ctx, tx, r.now(), audit.Entry{
		Action: action, TenantID: into.ID, ObjectID: into.ID, Result: resultStarted, Detail: r.from(),
	})
}

// audit writes how the import ended, also where ctx has ended with it.
func (r *run) audit(ctx context.Context, err error) error {
	entry := audit.Entry{Action: action, Result: r.result(ctx, err), Detail: r.detail(err)}
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

func (r *run) detail(err error) string {
	s := &r.summary
	skipped := 0
	for _, n := range s.Skipped {
		skipped += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d read: %d new, %d known, %d changed, %d skipped, %d rejected; %d of %d files refused",
		s.Read, s.New, s.Known, s.Changed, skipped, s.Rejected, len(s.Refused), len(r.sources))
	if !tenant.Stored(r.into) {
		fmt.Fprintf(&b, "; tenant %q not made", r.into.Name)
	}
	b.WriteString("; " + r.from())
	if err != nil {
		reason := []rune(oneLine(err.Error()))
		b.WriteString("; stopped by: " + string(reason[:min(len(reason), auditReason)]))
	}
	return b.String()
}

// from names the import's sources.
func (r *run) from() string {
	names := make([]string, 0, auditNames)
	for _, src := range r.sources[:min(len(r.sources), auditNames)] {
		names = append(names, oneLine(src.Name))
	}
	text := "from " + strings.Join(names, ", ")
	if more := len(r.sources) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
