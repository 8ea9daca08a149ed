package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/graph"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/server"
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
	if a.cfg.Retention > 0 {
		g.Go(func() error { return a.prune(ctx) })
	}
	if err := g.Wait(); !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (a *App) handler() http.Handler {
	cfg := server.Config{
		API: graph.NewHandler(graph.Config{
			DB: a.db, Log: a.log, Tenants: a.Tenants, Incidents: a.Incidents,
			Introspection: a.cfg.Explorer, Logger: a.cfg.Logger, Now: a.cfg.Now,
			RequestsPerSecond: a.cfg.RequestsPerSecond, Operations: a.cfg.Operations,
		}),
		Authenticate:   a.APIKeys.Authenticate,
		Unknown:        apikey.ErrUnknown,
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
	return server.New(cfg)
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
