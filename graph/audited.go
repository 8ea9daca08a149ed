package graph

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// auditor writes refusals into the audit log. What is done, its service writes
// in the transaction that does it; what is refused changes nothing, and would
// leave no trace.
type auditor struct {
	cfg Config

	mu   sync.Mutex
	told map[toldOf]time.Time // refused queries, so that a page that polls tells once a minute
}

type toldOf struct{ principal, field string }

const (
	toldAgain = time.Minute
	keptTold  = 10_000
	// maxObject and maxDetail are what an entry keeps of what a caller sent.
	maxObject, maxDetail = 100, 500
)

// field runs around every field, and looks at those of Query and Mutation.
func (a *auditor) field(ctx context.Context, next graphql.Resolver) (any, error) {
	f := graphql.GetFieldContext(ctx)
	if f.Object != string(ast.Mutation) && f.Object != "Mutation" && f.Object != "Query" {
		return next(ctx)
	}
	out, err := next(ctx)
	code, detail := refusedWith(ctx, out, err)
	if code == "" || f.Object == "Query" && (code != string(codeForbidden) || !a.tell(ctx, f.Field.Name)) {
		return out, err
	}
	entry := audit.Entry{Action: f.Field.Name, ObjectID: objectOf(f.Args), Result: code, Detail: clip(detail, maxDetail)}
	writeErr := a.cfg.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return audit.Write(ctx, tx, a.cfg.Now(), entry)
	})
	if writeErr != nil {
		a.cfg.Logger.ErrorContext(ctx, "audit log: a refusal could not be written", "request", requestID(ctx), "error", writeErr)
	}
	return out, err
}

// tell says whether a refused query is to be written, once a minute.
func (a *auditor) tell(ctx context.Context, field string) bool {
	s, err := access.From(ctx)
	if err != nil {
		return false
	}
	key, now := toldOf{s.OrganizationID + " " + s.Principal.ID, field}, a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.told[key]) < toldAgain {
		return false
	}
	if len(a.told) >= keptTold {
		clear(a.told)
	}
	a.told[key] = now
	return true
}

// refusedWith is the code of a refusal and what was said; "" where nothing was refused.
func refusedWith(ctx context.Context, out any, err error) (code, detail string) {
	if err != nil {
		if r := refusal.From(err); r != nil {
			return string(r.Code), r.Message
		}
		c, message := presenter{}.judge(ctx, err)
		return string(c), message
	}
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return "", ""
	}
	refused := v.Elem().FieldByName("UserErrors") // every payload has it
	if !refused.IsValid() {
		return "", ""
	}
	if list, ok := reflect.TypeAssert[[]*refusal.Error](refused); ok && len(list) > 0 {
		return string(list[0].Code), list[0].Message
	}
	return "", ""
}

// objectOf is the id that an input names.
func objectOf(arguments map[string]any) string {
	v := reflect.ValueOf(arguments["input"])
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, name := range []string{"ID", "IncidentID", "TenantID"} {
		if id := v.FieldByName(name); id.IsValid() && id.Kind() == reflect.String {
			return clip(id.String(), maxObject)
		}
	}
	return ""
}

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
