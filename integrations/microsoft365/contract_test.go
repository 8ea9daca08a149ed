package microsoft365_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/integrations/psa/psatest"
)

// watched holds calls of Graph and their answers against Microsoft's document
// where it lies beside the project.
func watched(t *testing.T, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	document := psatest.Document(t, "microsoft-graph.yaml")
	if document == nil {
		return next
	}
	return psatest.Contract(t, document, true, next, func(path string) (string, bool) {
		return strings.ReplaceAll(path, "()", ""), strings.HasPrefix(path, "/v1.0/") || strings.HasPrefix(path, "/beta/")
	})
}

// ledger is a budget that counts, and refuses when it is told to.
type ledger struct {
	mu     sync.Mutex
	calls  []microsoft365.Call
	rests  []time.Duration
	refuse error
}

func (l *ledger) Take(_ context.Context, c microsoft365.Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	l.calls = append(l.calls, c)
	return nil
}

func (l *ledger) Pause(_ context.Context, _ microsoft365.Call, rest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rests = append(l.rests, rest)
}

func (l *ledger) count(f microsoft365.Family) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.calls {
		if c.Family == f {
			n++
		}
	}
	return n
}
