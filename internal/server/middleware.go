package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

type metrics struct{ duration *prometheus.HistogramVec }

func newMetrics(registry *prometheus.Registry) metrics {
	m := metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cairn_http_request_duration_seconds", Help: "Time to answer HTTP requests.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"path", "method", "status"})}
	registry.MustRegister(m.duration)
	return m
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter

	status int
	bytes  int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

// statusClientGone is what a request is logged with whose client did not wait
// for the answer; nginx's number for it. It is never sent.
const statusClientGone = 499

// outcome is the status the client got, once the handler is done: 200 where it
// wrote nothing, for that is what net/http then sends.
func (r *recorder) outcome(ctx context.Context) int {
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // only the client's leaving ends a request's context
		return statusClientGone
	case r.status == 0:
		return http.StatusOK
	}
	return r.status
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observed gives a request its id and address, and logs and measures it.
func (s *server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		id := typeid.New("request")
		address := s.clientAddress(r)
		ctx := audit.WithAddress(s.WithRequestID(r.Context(), id), address)
		rec := &recorder{ResponseWriter: w}
		header := w.Header()
		header.Set("X-Request-ID", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if s.PublicURL != nil && s.PublicURL.Scheme == "https" {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			v, begun := recover(), rec.status != 0
			if v != nil {
				s.Logger.ErrorContext(ctx, "panic", "request", id, "panic", v, "stack", string(debug.Stack()))
				if !begun {
					refuse(rec, http.StatusInternalServerError, "INTERNAL", "Internal error. The log holds the details under the request id.", id)
				}
			}
			path := pathLabel(r.URL.Path, s.publicPath())
			status := rec.outcome(ctx)
			took := s.Now().Sub(start)
			s.metrics.duration.WithLabelValues(path, methodLabel(r.Method), strconv.Itoa(status)).Observe(took.Seconds())
			level := slog.LevelInfo
			if path == "health" {
				level = slog.LevelDebug
			}
			s.Logger.Log(ctx, level, "request", "request", id, "method", methodLabel(r.Method), "path", path,
				"status", status, "bytes", rec.bytes, "address", address, "duration", took.Round(time.Microsecond).String())
			if v != nil && begun {
				panic(http.ErrAbortHandler) // net/http breaks the connection: nobody takes the part for the whole
			}
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

// pathLabel keeps the number of label values small whatever clients ask for.
func pathLabel(path, public string) string {
	if rest, ok := cutPath(path, public); ok {
		path = rest
	}
	switch {
	case path == "/graphql", path == "/metrics":
		return path
	case path == "/healthz", path == "/readyz":
		return "health"
	case strings.HasPrefix(path, "/webhooks"):
		return "callback"
	case strings.HasPrefix(path, "/microsoft/"):
		return "consent"
	case strings.HasPrefix(path, "/signin"), path == "/signout", strings.HasPrefix(path, "/mails"):
		return "signin"
	case path == "/", strings.HasPrefix(path, "/explorer"):
		return "explorer"
	}
	return "other"
}

func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions:
		return m
	}
	return "other"
}

// authenticated lets in who presents a known key, or the cookie of a session.
func (s *server) authenticated(next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := w.Header().Get("X-Request-ID")
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		authenticate, unknown := s.Authenticate, s.Unknown
		refused := "This API key is not valid here: it is mistyped, expired, deleted, or of another installation."
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			cookie, err := r.Cookie(s.SessionCookie)
			if err != nil || s.AuthenticateSession == nil {
				w.Header().Set("WWW-Authenticate", "Bearer")
				refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED",
					`No API key given. Send it in the header "Authorization: Bearer cairn_key_…"; cairn admin create-api-key makes one. Or sign in at /signin.`, id)
				return
			}
			// A cookie comes with whatever page makes the browser send a request:
			// the browser says whose page that is.
			if err := foreign.Check(r); err != nil {
				refuse(w, http.StatusForbidden, "FORBIDDEN", "This request comes from a page of another site, and a session's cookie is not taken from there.", id)
				return
			}
			token, authenticate, unknown = cookie.Value, s.AuthenticateSession, s.UnknownSession
			refused = "You are not signed in (any more). Sign in at /signin."
		}
		scope, err := authenticate(r.Context(), strings.TrimSpace(token))
		if errors.Is(err, unknown) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED", refused, id)
			return
		}
		if err != nil {
			s.Logger.ErrorContext(r.Context(), "authenticate", "request", id, "error", err)
			refuse(w, http.StatusServiceUnavailable, "INTERNAL", "The API key could not be checked. Try again; the log holds the details under the request id.", id)
			return
		}
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), scope)))
	})
}

// refuse answers in the form GraphQL clients understand.
func refuse(w http.ResponseWriter, status int, code, message, requestID string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ //nolint:errchkjson // all strings: where it fails the client has gone
		"data": nil,
		"errors": []any{map[string]any{
			"message": message, "extensions": map[string]any{"code": code, "requestId": requestID},
		}},
	})
}

// ClientAddress is where the request whose context this is came from.
func ClientAddress(r *http.Request) string { return audit.Address(r.Context()) }

// clientAddress is who called: the connection's other end or, where that is a
// trusted proxy, the nearest address in X-Forwarded-For that is none.
func (s *server) clientAddress(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := ap.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr.String()
}

func (s *server) trusted(addr netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
