package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/server"
)

var (
	errUnknown  = errors.New("unknown key")
	errDatabase = errors.New("dial tcp 192.0.2.1:5432: password for cairn refused")
)

const goodKey = "cairn_key_good"

// logs is what a server logged; it may be read while the server writes.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type requestIDKey struct{}

// config is a server whose API answers with what it was handed.
func config(log io.Writer) server.Config {
	return server.Config{
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scope, err := access.From(r.Context())
			if err != nil {
				panic("the API was asked without a scope")
			}
			id, _ := r.Context().Value(requestIDKey{}).(string)
			_ = json.NewEncoder(w).Encode(map[string]string{"organization": scope.OrganizationID, "path": r.URL.Path, "requestId": id})
		}),
		Explorer: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "the explorer's own")
			_, _ = io.WriteString(w, "explorer at "+r.URL.Path)
		}),
		Authenticate: func(_ context.Context, token string) (access.Scope, error) {
			switch token {
			case goodKey:
				return access.Scope{OrganizationID: "organization_1"}, nil
			case "broken":
				return access.Scope{}, errDatabase
			}
			return access.Scope{}, errUnknown
		},
		Unknown: errUnknown,
		WithRequestID: func(ctx context.Context, id string) context.Context {
			return context.WithValue(ctx, requestIDKey{}, id)
		},
		Ready:    func(context.Context) error { return nil },
		Registry: prometheus.NewRegistry(),
		Logger:   slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:      time.Now,
	}
}

// ask sends a request and returns the answer with its body.
func ask(t *testing.T, h http.Handler, method, target string, header ...string) (response *http.Response, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("{}"))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	var log logs
	cfg := config(&log)
	var database error
	cfg.Ready = func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		require.True(t, limited, "a database that hangs must not hang the answer")
		return database
	}
	h := server.New(cfg)
	r, body := ask(t, h, http.MethodGet, "/healthz")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "ok\n", body)
	r, body = ask(t, h, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "ready\n", body)

	database = errDatabase
	r, body = ask(t, h, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
	require.Equal(t, "not ready: the database does not answer\n", body)
	require.Contains(t, log.String(), errDatabase.Error(), "the operator learns why, the asker does not")
	r, _ = ask(t, h, http.MethodGet, "/healthz")
	require.Equal(t, http.StatusOK, r.StatusCode, "the process is well")
	r, _ = ask(t, h, http.MethodPost, "/healthz")
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
}

// Ensure what is measured is told, and that no client makes up label values.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := server.New(config(io.Discard))
	ask(t, h, http.MethodPost, "/graphql", "Authorization", "Bearer "+goodKey)
	ask(t, h, "BREW", "/made-up/one")
	ask(t, h, "STEW", "/made-up/two")
	_, body := ask(t, h, http.MethodGet, "/metrics")
	require.Contains(t, body, `cairn_http_request_duration_seconds_count{method="POST",path="/graphql",status="200"} 1`)
	require.Contains(t, body, `cairn_http_request_duration_seconds_count{method="other",path="other",status="404"} 2`)
	require.NotContains(t, body, "made-up")
}

// answer is a refusal as GraphQL clients understand it.
type answer struct {
	Data   *struct{} `json:"data"`
	Errors []struct {
		Message    string `json:"message"`
		Extensions struct{ Code, RequestID string }
	} `json:"errors"`
}

func refused(t *testing.T, r *http.Response, body string) answer {
	t.Helper()
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	var a answer
	require.NoError(t, json.Unmarshal([]byte(body), &a), body)
	require.Len(t, a.Errors, 1)
	require.NotEmpty(t, r.Header.Get("X-Request-ID"))
	require.Equal(t, r.Header.Get("X-Request-ID"), a.Errors[0].Extensions.RequestID)
	return a
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	var log logs
	h := server.New(config(&log))
	for name, header := range map[string][]string{
		"nothing": nil, "no token": {"Authorization", "Bearer "}, "another scheme": {"Authorization", "Basic " + goodKey},
		"a bare key": {"Authorization", goodKey},
	} {
		r, body := ask(t, h, http.MethodPost, "/graphql", header...)
		require.Equal(t, http.StatusUnauthorized, r.StatusCode, name)
		require.Equal(t, "Bearer", r.Header.Get("WWW-Authenticate"))
		a := refused(t, r, body)
		require.Equal(t, "UNAUTHENTICATED", a.Errors[0].Extensions.Code)
		require.Contains(t, a.Errors[0].Message, "cairn admin create-api-key")
	}
	r, body := ask(t, h, http.MethodPost, "/graphql", "Authorization", "Bearer cairn_key_bad")
	require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	require.Contains(t, r.Header.Get("WWW-Authenticate"), "invalid_token")
	require.Contains(t, refused(t, r, body).Errors[0].Message, "not valid here")

	r, body = ask(t, h, http.MethodPost, "/graphql", "Authorization", "Bearer broken")
	require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
	require.Equal(t, "INTERNAL", refused(t, r, body).Errors[0].Extensions.Code)
	require.NotContains(t, body, "192.0.2.1")
	require.Contains(t, log.String(), "192.0.2.1")

	for _, scheme := range []string{"Bearer ", "bearer ", "Bearer  "} {
		r, body = ask(t, h, http.MethodPost, "/graphql", "Authorization", scheme+goodKey)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.JSONEq(t, `{"organization":"organization_1","path":"/graphql","requestId":"`+r.Header.Get("X-Request-ID")+`"}`, body)
	}
	require.NotContains(t, log.String(), "cairn_key_", "no key is logged")
	ids := map[string]bool{}
	for range 3 {
		r, _ := ask(t, h, http.MethodGet, "/healthz", "X-Request-ID", "chosen by the client")
		ids[r.Header.Get("X-Request-ID")] = true
	}
	require.Len(t, ids, 3)
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	cfg := config(io.Discard)
	h := server.New(cfg)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/graphql", "/explorer/", "/nowhere"} {
		r, _ := ask(t, h, http.MethodGet, path)
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "DENY", r.Header.Get("X-Frame-Options"), path)
		require.Equal(t, "no-referrer", r.Header.Get("Referrer-Policy"), path)
		want := "default-src 'none'; frame-ancestors 'none'"
		if path == "/explorer/" {
			want = "the explorer's own"
		}
		require.Equal(t, []string{want}, r.Header.Values("Content-Security-Policy"), path)
		require.Empty(t, r.Header.Get("Strict-Transport-Security"), "over http it would be ignored, and locks out who later can't do https")
	}
	cfg.Registry, cfg.PublicURL = prometheus.NewRegistry(), &url.URL{Scheme: "https", Host: "cairn.example.net"}
	r, _ := ask(t, server.New(cfg), http.MethodGet, "/healthz")
	require.NotEmpty(t, r.Header.Get("Strict-Transport-Security"))
}

// Ensure only a trusted proxy is believed, and only up to the first address it
// vouches for that is no proxy.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, remote, forwarded, want string
		trusted                       []string
	}{
		{name: "nobody is trusted", remote: "192.0.2.1:1000", forwarded: "198.51.100.9", want: "192.0.2.1"},
		{name: "a stranger claims", remote: "203.0.113.5:1000", forwarded: "198.51.100.9", trusted: []string{"192.0.2.0/24"}, want: "203.0.113.5"},
		{name: "a proxy tells", remote: "192.0.2.1:1000", forwarded: "198.51.100.9", trusted: []string{"192.0.2.0/24"}, want: "198.51.100.9"},
		{name: "the client lied to the proxy", remote: "192.0.2.1:1000", forwarded: "127.0.0.1, 198.51.100.9", trusted: []string{"192.0.2.0/24"}, want: "198.51.100.9"},
		{name: "two proxies", remote: "192.0.2.1:1000", forwarded: "1.1.1.1, 198.51.100.9, 192.0.2.2", trusted: []string{"192.0.2.0/24"}, want: "198.51.100.9"},
		{name: "all are proxies", remote: "192.0.2.1:1000", forwarded: "192.0.2.3, 192.0.2.2", trusted: []string{"192.0.2.0/24"}, want: "192.0.2.3"},
		{name: "nonsense", remote: "192.0.2.1:1000", forwarded: "198.51.100.9, unknown", trusted: []string{"192.0.2.0/24"}, want: "192.0.2.1"},
		{name: "nothing", remote: "192.0.2.1:1000", trusted: []string{"192.0.2.0/24"}, want: "192.0.2.1"},
		{name: "IPv6", remote: "[2001:db8::1]:1000", forwarded: "2001:db8:1::5", trusted: []string{"2001:db8::/64"}, want: "2001:db8:1::5"},
		{name: "IPv4 in IPv6", remote: "[::ffff:192.0.2.1]:1000", forwarded: "::ffff:198.51.100.9", trusted: []string{"192.0.2.0/24"}, want: "198.51.100.9"},
	} {
		var log logs
		cfg := config(&log)
		for _, p := range c.trusted {
			cfg.TrustedProxies = append(cfg.TrustedProxies, netip.MustParsePrefix(p))
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			for hop := range strings.SplitSeq(c.forwarded, ", ") { // a header each, or one for all: it is the same
				r.Header.Add("X-Forwarded-For", hop)
			}
		}
		server.New(cfg).ServeHTTP(httptest.NewRecorder(), r)
		var line struct{ Address string }
		require.NoError(t, json.Unmarshal([]byte(log.String()), &line))
		require.Equal(t, c.want, line.Address, c.name)
	}
}

// Ensure a server behind a proxy answers under the public path and, for
// proxies that cut it off, without; and sends people only to where they can go.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	cfg := config(io.Discard)
	cfg.PublicURL = &url.URL{Scheme: "https", Host: "msp.example", Path: "/tools/cairn/"}
	h := server.New(cfg)
	key := []string{"Authorization", "Bearer " + goodKey}
	for _, prefix := range []string{"", "/tools/cairn"} {
		r, body := ask(t, h, http.MethodPost, prefix+"/graphql", key...)
		require.Equal(t, http.StatusOK, r.StatusCode, prefix)
		require.Contains(t, body, `"path":"/graphql"`)
		r, body = ask(t, h, http.MethodGet, prefix+"/explorer/explorer.js")
		require.Equal(t, http.StatusOK, r.StatusCode, prefix)
		require.Equal(t, "explorer at /explorer.js", body)
		for _, path := range []string{"/", "/explorer"} {
			r, _ = ask(t, h, http.MethodGet, prefix+path)
			require.Equal(t, "/tools/cairn/explorer/", r.Header.Get("Location"), prefix+path)
		}
		r, _ = ask(t, h, http.MethodGet, prefix+"/healthz")
		require.Equal(t, http.StatusOK, r.StatusCode, prefix)
	}
	r, _ := ask(t, h, http.MethodGet, "/tools/cairn")
	require.Equal(t, "/tools/cairn/", r.Header.Get("Location"))
	r, _ = ask(t, h, http.MethodPost, "/tools/cairnival/graphql", key...)
	require.Equal(t, http.StatusNotFound, r.StatusCode)
	_, body := ask(t, h, http.MethodGet, "/metrics")
	require.Contains(t, body, `path="/graphql",status="200"} 2`, "both ways count as one")
}

func TestWithoutExplorer(t *testing.T) {
	t.Parallel()
	cfg := config(io.Discard)
	cfg.Explorer = nil
	h := server.New(cfg)
	for _, path := range []string{"/", "/explorer", "/explorer/"} {
		r, _ := ask(t, h, http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, r.StatusCode, path)
	}
}

// Ensure a fault costs its request alone and shows nothing of the inside.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log logs
	cfg := config(&log)
	cfg.API = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret of the inside") })
	h := server.New(cfg)
	r, body := ask(t, h, http.MethodPost, "/graphql", "Authorization", "Bearer "+goodKey)
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	a := refused(t, r, body)
	require.Equal(t, "INTERNAL", a.Errors[0].Extensions.Code)
	require.NotContains(t, body, "secret")
	require.NotContains(t, body, ".go:")
	require.Contains(t, log.String(), "secret of the inside")
	require.Contains(t, log.String(), r.Header.Get("X-Request-ID"))
	_, body = ask(t, h, http.MethodGet, "/metrics")
	require.Contains(t, body, `path="/graphql",status="500"} 1`)
}

// Ensure the log and the metrics say what the client got: 200 where a handler
// wrote nothing, and that it was gone where it did not wait.
func TestStatusLogged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		gone   bool
		want   int
	}{
		"nothing written":                 {func(http.ResponseWriter) {}, false, 200},
		"a body alone":                    {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, false, 200},
		"a status alone":                  {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, false, 204},
		"gone before the answer":          {func(http.ResponseWriter) {}, true, 499},
		"gone while it was being written": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, true, 499},
	} {
		var log logs
		cfg := config(&log)
		ctx, leave := context.WithCancel(t.Context())
		cfg.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.gone {
				leave()
			}
			c.answer(w)
		})
		h := server.New(cfg)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+goodKey)
		h.ServeHTTP(httptest.NewRecorder(), r)
		leave()
		var line struct{ Status int }
		require.NoError(t, json.Unmarshal([]byte(log.String()), &line), name)
		require.Equal(t, c.want, line.Status, name)
		_, body := ask(t, h, http.MethodGet, "/metrics")
		require.Contains(t, body, fmt.Sprintf(`path="/graphql",status="%d"} 1`, c.want), name)
	}
}

// Ensure an answer that was broken off is not taken for a whole one.
func TestPanicWithinAnAnswer(t *testing.T) {
	t.Parallel()
	cfg := config(io.Discard)
	cfg.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":`)
		panic("half way")
	})
	s := httptest.NewUnstartedServer(server.New(cfg))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.Start()
	defer s.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/graphql", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+goodKey)
	response, err := s.Client().Do(request)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
	}
	require.Error(t, err, "the connection ends without the answer's end")
}
