package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/graph"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/server"
	"github.com/cairn-itdr/cairn/internal/signin"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/web/explorer"
)

// FirstQuery is what the explorer holds at first and the demo prints.
const FirstQuery = `{ incidents(first: 10) { nodes { number severity title isLive explanation tenant { name } } } }`

// Serve answers on listener and runs the jobs until ctx ends.
func (a *App) Serve(ctx context.Context, listener net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(ctx, listener, a.handler(), a.cfg.Logger); err != nil {
			return err
		}
		return errStopped
	})
	g.Go(func() error { return a.desk(ctx) })
	if a.cfg.runs(ComponentWorker) {
		g.Go(func() error { return a.seal(ctx) })
	}
	if a.cfg.Retention > 0 && a.cfg.runs(ComponentWorker) {
		g.Go(func() error { return a.prune(ctx) })
	}
	if err := g.Wait(); !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (a *App) handler() http.Handler {
	path, secure := "", false
	if u := a.cfg.PublicURL; u != nil {
		path, secure = strings.TrimRight(u.Path, "/"), u.Scheme == "https"
	}
	home := "/"
	if !a.cfg.Explorer {
		home = "/signin"
	}
	cfg := server.Config{
		API: graph.NewHandler(graph.Config{
			DB: a.db, Log: a.log, Tenants: a.Tenants, Incidents: a.Incidents, Members: a.Members,
			APIKeys: a.APIKeys, Ticketing: a.Ticketing, Collect: a.Collect,
			Introspection: a.cfg.Explorer, Logger: a.cfg.Logger, Now: a.cfg.Now,
			RequestsPerSecond: a.cfg.RequestsPerSecond, Operations: a.cfg.Operations,
		}),
		Authenticate: a.APIKeys.Authenticate,
		Unknown:      apikey.ErrUnknown,

		AuthenticateSession: a.Members.Authenticate,
		UnknownSession:      member.ErrUnknown,
		SessionCookie:       signin.CookieName(secure, path),
		SignIn: signin.Handler(signin.Config{
			Members: a.Members, Path: path, Secure: secure, Home: home, Address: server.ClientAddress,
			Current: a.Members.Current, End: a.Members.SignOut, Mails: a.cfg.Outbox != nil, Logger: a.cfg.Logger, Now: a.cfg.Now,
		}),

		WithRequestID:  graph.WithRequestID,
		Ready:          a.db.Ping,
		PublicURL:      a.cfg.PublicURL,
		TrustedProxies: a.cfg.TrustedProxies,
		Registry:       a.registry,
		Logger:         a.cfg.Logger,
		Now:            a.cfg.Now,
	}
	if a.cfg.Explorer {
		cfg.Explorer = explorer.Handler(explorer.Config{Endpoint: "../graphql", DefaultQuery: FirstQuery})
	}
	cfg.Pages = map[string]http.HandlerFunc{collect.ConsentPath: a.consented, collect.SignInPath: a.signedIn}
	cfg.Callbacks, cfg.CallbackPath = http.HandlerFunc(a.callback), ticketing.CallbackPath
	if a.cfg.Outbox != nil {
		cfg.Mails = a.cfg.Outbox
	}
	if !a.cfg.runs(ComponentAPI) { // health and metrics alone
		cfg.API, cfg.SignIn, cfg.Explorer, cfg.Callbacks, cfg.Mails, cfg.Pages = nil, nil, nil, nil, nil, nil
	}
	return server.New(cfg)
}

// readAll reads a request's body up to a length.
func readAll(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, most))
}

// sealEvery is how soon an audit entry is chained to those before it.
const sealEvery = 5 * time.Second

// seal chains audit entries, at start and every few seconds.
func (a *App) seal(ctx context.Context) error {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		if _, err := a.Sealer.Seal(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.ErrorContext(ctx, "audit log: entries could not be sealed; the next run tries again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Pruning takes small bites: on SQLite a transaction keeps all others waiting.
const (
	pruneEvery = time.Hour
	pruneBite  = 2000
)

// prune drops activity older than the retention, at start and every hour. What
// a kill interrupts, the next run finds again.
func (a *App) prune(ctx context.Context) error {
	ctx = access.SystemAcrossOrganizations(ctx, "retention")
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		total, err := a.log.Prune(ctx, a.cfg.Now().Add(-a.cfg.Retention), pruneBite)
		if err != nil && ctx.Err() == nil {
			a.cfg.Logger.ErrorContext(ctx, "retention: activity past its age could not be dropped; the next run tries again", "error", err)
		}
		if total > 0 {
			a.cfg.Logger.InfoContext(ctx, "retention: dropped activity past its age", "activities", total)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
