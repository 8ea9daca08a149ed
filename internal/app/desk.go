package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/autotask"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	"github.com/cairn-itdr/cairn/integrations/psa/halopsa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/notification"
	"github.com/cairn-itdr/cairn/internal/outbound"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/secret"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/work"
)

// psaVendors are the PSAs Cairn can be connected to.
var psaVendors = []psa.Vendor{connectwise.Vendor, halopsa.Vendor, autotask.Vendor}

// The components of a process. Several processes on one PostgreSQL database
// may share them out.
const (
	ComponentAPI    = "api"    // HTTP: the API, sign-in, callbacks
	ComponentWorker = "worker" // what is due: tickets, mails
)

// Components are all components.
func Components() []string { return []string{ComponentAPI, ComponentWorker} }

// runs says whether this process has a component.
func (cfg Config) runs(component string) bool {
	return len(cfg.Components) == 0 || slices.Contains(cfg.Components, component)
}

// openDesk builds what keeps incidents and the systems outside in step.
func (a *App) openDesk() error {
	policy, err := outbound.Allow(a.cfg.OutboundAllow...)
	if err != nil {
		return fmt.Errorf("outbound allow-list: %w", err)
	}
	keeper, err := a.cfg.keeper()
	if err != nil {
		return err
	}
	a.feed = change.New(a.db, a.cfg.Now)
	a.work = work.New(work.Config{DB: a.db, Signals: a.feed, Now: a.cfg.Now, Logger: a.cfg.Logger})
	a.Ticketing = ticketing.New(ticketing.Config{
		DB: a.db, Work: a.work, Feed: a.feed, Vendors: psaVendors, Secrets: keeper, Client: outbound.NewClient(policy),
		PublicURL: a.cfg.callbackURL(), Pace: a.cfg.pace(), Now: a.cfg.Now, Logger: a.cfg.Logger,
		Remediate: func(ctx context.Context, id, reason string) error {
			_, err := a.Incidents.SetStatus(ctx, id, entincident.StatusRemediated, reason)
			return err
		},
	})
	a.Ticketing.Tell = func(ctx context.Context, id string, notes ...incident.Note) error {
		return a.Incidents.Tell(ctx, id, notes...)
	}
	a.Ticketing.Register()
	mailer, err := a.cfg.mailer()
	if err != nil {
		return err
	}
	a.Members = member.New(a.db, mailer, a.cfg.link, a.cfg.Now)
	notifications := notification.New(notification.Config{
		DB: a.db, Work: a.work, Feed: a.feed, Members: a.Members, Mailer: mailer, Link: a.cfg.link,
		Pace: notification.StandardPace, Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
	notifications.Register()
	a.Incidents = incident.New(a.db, a.cfg.Now, a.Ticketing.Follow, notifications.Follow)
	return nil
}

// pace is how fast tickets are kept; the demo watches its PSAs closely.
func (cfg Config) pace() ticketing.Pace {
	pace := ticketing.StandardPace
	if cfg.Outbox != nil {
		pace.Poll = demoPoll
	}
	return pace
}

// callbackURL is where PSAs reach this server; nil where they can't. The demo's
// are on this machine.
func (cfg Config) callbackURL() *url.URL {
	if cfg.PublicURL == nil && cfg.Outbox != nil {
		return &url.URL{Scheme: "http", Host: cfg.Listening}
	}
	return cfg.PublicURL
}

const demoPoll = 5 * time.Second

// keeper opens the master key; without a file there is none, and secrets are
// refused in words that say what to do.
func (cfg Config) keeper() (*secret.Keeper, error) {
	if cfg.MasterKeyFile == "" {
		return nil, nil //nolint:nilnil // a nil keeper refuses
	}
	k, err := secret.Load(cfg.MasterKeyFile, cfg.DataDir)
	if cfg.MasterKeyFile == DefaultMasterKeyFile() && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		if errors.Is(err, fs.ErrPermission) {
			cfg.Logger.Warn("the master key's file may not be read: Cairn starts without, and takes no secrets", "error", err)
		}
		return nil, nil //nolint:nilnil // nobody has made one yet, or not for this user
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return k, nil
}

// DefaultMasterKeyFile is where the key lies unless told otherwise: in the
// user's configuration folder, away from the data and its backups.
func DefaultMasterKeyFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "cairn", "master.key")
}

// MakeMasterKey makes the key file. Refusals: one that is there already, a place
// within the data folder.
func MakeMasterKey(path, dataDir string) error {
	if path == "" {
		return refusal.New(refusal.Invalid, nil, "name the file: --master-key-file")
	}
	return secret.Create(path, dataDir)
}

// keptChanges is how long the change feed remembers.
const keptChanges = 7 * 24 * time.Hour

// desk runs what is due, and hears of other processes' changes, until ctx ends.
func (a *App) desk(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.feed.Listen(ctx, a.cfg.Logger) })
	if a.cfg.runs(ComponentWorker) {
		g.Go(func() error { return a.work.Run(ctx) })
		g.Go(func() error { return a.forget(ctx) })
	}
	return g.Wait()
}

// forget drops old changes, at start and once a day.
func (a *App) forget(ctx context.Context) error {
	const every = 24 * time.Hour
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		system := access.SystemAcrossOrganizations(ctx, "change feed")
		if err := a.feed.Prune(system, a.cfg.Now().Add(-keptChanges)); err != nil && ctx.Err() == nil {
			a.cfg.Logger.ErrorContext(ctx, "change feed: old changes could not be dropped; the next run tries again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxCallback is the longest callback taken, in bytes.
const maxCallback = 1 << 20

// callback takes the calls of PSAs in: /webhooks/psa/{connection}. Whoever calls
// learns whether the call was taken, and nothing else.
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, ticketing.CallbackPath)
	body, err := readAll(w, r, maxCallback)
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	ctx := r.Context()
	organization, err := a.Ticketing.OrganizationOf(access.SystemAcrossOrganizations(ctx, "callback"), id)
	if err == nil && organization == "" {
		http.NotFound(w, r)
		return
	}
	if err == nil {
		err = a.Ticketing.Callback(access.System(ctx, "callback", organization), id, r.Header, body)
	}
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case psa.Is(err, psa.ReasonForged):
		http.NotFound(w, r)
	default:
		a.cfg.Logger.ErrorContext(ctx, "a PSA's callback could not be taken", "connection", id, "error", err)
		http.Error(w, "not taken", http.StatusServiceUnavailable)
	}
}
