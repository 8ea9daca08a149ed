// Package server is Cairn's HTTP side: it mounts the handlers it is given and
// adds what every request needs (request id, authentication, access log,
// metrics, security headers), health and metrics pages, and a graceful stop.
//
// What may not live here: what a request means.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Authenticate tells whose a bearer token or a session's cookie is. Errors that
// wrap the configured Unknown refuse it; all others are faults.
type Authenticate func(ctx context.Context, token string) (access.Scope, error)

// Config says what the server serves.
type Config struct {
	API      http.Handler // mounted at /graphql, behind authentication
	Explorer http.Handler // mounted at /explorer/; nil leaves it out
	// Authenticate checks bearer tokens; Unknown is the error it refuses with.
	Authenticate Authenticate
	Unknown      error
	// AuthenticateSession checks the cookie of that name; UnknownSession is the
	// error it refuses with. The explorer and single-page apps come with it.
	AuthenticateSession Authenticate
	UnknownSession      error
	SessionCookie       string
	// SignIn is mounted at /signin and /signout, Mails (the demo's) at /mails/;
	// nil leaves them out.
	SignIn http.Handler
	Mails  http.Handler
	// Callbacks is mounted at CallbackPath: calls of systems outside, which it
	// authenticates itself.
	Callbacks    http.Handler
	CallbackPath string
	// Pages are others that people are sent to, by path.
	Pages map[string]http.HandlerFunc
	// WithRequestID puts the request's id where the API finds it.
	WithRequestID func(ctx context.Context, id string) context.Context
	// Ready says whether requests can be answered.
	Ready func(ctx context.Context) error
	// PublicURL is where users reach the server, by way of a proxy or not. Its
	// path is cut off incoming requests.
	PublicURL *url.URL
	// TrustedProxies may tell a client's address (X-Forwarded-For).
	TrustedProxies []netip.Prefix
	Registry       *prometheus.Registry
	Logger         *slog.Logger
	Now            func() time.Time
}

// The server's patience. A slow client must not hold a connection for ever.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 2 * time.Minute
	stopTimeout       = 20 * time.Second
	readyTimeout      = 5 * time.Second
)

// New returns the handler of everything.
func New(cfg Config) http.Handler {
	s := &server{Config: cfg, metrics: newMetrics(cfg.Registry)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{}))
	if cfg.API != nil {
		mux.Handle("/graphql", s.authenticated(cfg.API))
	}
	for path, page := range cfg.Pages {
		mux.Handle("GET "+path, page)
	}
	if cfg.Callbacks != nil {
		mux.Handle("POST "+cfg.CallbackPath, cfg.Callbacks)
	}
	if cfg.SignIn != nil {
		mux.Handle("/signin", cfg.SignIn)
		mux.Handle("/signin/", cfg.SignIn)
		mux.Handle("/signout", cfg.SignIn)
	}
	if cfg.Mails != nil {
		mux.Handle("GET /mails/", cfg.Mails)
	}
	if cfg.Explorer != nil {
		mux.Handle("/explorer/", http.StripPrefix("/explorer", cfg.Explorer))
		mux.HandleFunc("GET /explorer", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, s.publicPath()+"/explorer/", http.StatusMovedPermanently)
		})
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, s.publicPath()+"/explorer/", http.StatusFound)
		})
	}
	return s.observed(s.withoutPublicPath(mux))
}

// Serve answers on the listener until ctx ends, then lets the requests under
// way finish.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- srv.Shutdown(patience)
	})
	err := srv.Serve(listener)
	if !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

type server struct {
	Config

	metrics metrics
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.Logger.WarnContext(ctx, "not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "not ready: the database does not answer")
		return
	}
	plain(w, http.StatusOK, "ready")
}

// publicPath is the path under which users see the server, without a final slash.
func (s *server) publicPath() string {
	if s.PublicURL == nil {
		return ""
	}
	return trimSlash(s.PublicURL.Path)
}

func trimSlash(p string) string {
	for len(p) > 0 && p[len(p)-1] == '/' {
		p = p[:len(p)-1]
	}
	return p
}

// withoutPublicPath takes requests both ways a proxy may send them: with the
// public URL's path and without.
func (s *server) withoutPublicPath(next http.Handler) http.Handler {
	path := s.publicPath()
	if path == "" {
		return next
	}
	stripped := http.StripPrefix(path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := cutPath(r.URL.Path, path); ok {
			if rest == "" {
				http.Redirect(w, r, path+"/", http.StatusMovedPermanently)
				return
			}
			stripped.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func cutPath(p, prefix string) (rest string, ok bool) {
	if len(p) < len(prefix) || p[:len(prefix)] != prefix {
		return "", false
	}
	rest = p[len(prefix):]
	return rest, rest == "" || rest[0] == '/'
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client has gone where this fails
}
