package psatest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromProxy marks the answers that the PSA never gave.
const fromProxy = "psatest"

// proxy stands between the adapter and the PSA.
type proxy struct {
	url    string
	writes func(*http.Request) bool

	mu   sync.Mutex
	mode func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func newProxy(t *testing.T, to string, writes func(*http.Request) bool) *proxy {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	next := httputil.NewSingleHostReverseProxy(target)
	if writes == nil {
		writes = func(r *http.Request) bool { return r.Method != http.MethodGet }
	}
	p := &proxy{writes: writes}
	p.behave()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		mode := p.mode
		p.mu.Unlock()
		mode(w, r, next)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *proxy) set(mode func(http.ResponseWriter, *http.Request, http.Handler)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
}

// behave passes calls on.
func (p *proxy) behave() {
	p.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
}

// answer answers in the PSA's place.
func (p *proxy) answer(status int, contentType, body string, header http.Header) {
	p.set(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		maps.Copy(w.Header(), header)
		w.Header().Set("X-From", fromProxy)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// dropBefore cuts connections before the PSA hears of the call.
func (p *proxy) dropBefore() {
	p.set(func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
}

// dropAfter has the PSA do what is asked, and cuts the connection in place of
// its answer to what writes.
func (p *proxy) dropAfter() {
	p.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !p.writes(r) {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&httptest.ResponseRecorder{Body: &bytes.Buffer{}}, r)
		panic(http.ErrAbortHandler)
	})
}

// hang answers nothing until release.
func (p *proxy) hang() (release func()) {
	done := make(chan struct{})
	p.set(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})
	return func() {
		p.behave()
		close(done)
	}
}
