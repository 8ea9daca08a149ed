// Package app is the composition root: it builds the services over one
// database, starts and stops them. Only cmd and tests import it.
//
// What may not live here: behaviour that a package of its own could have.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/organization"
	"github.com/cairn-itdr/cairn/internal/tenant"
	"github.com/cairn-itdr/cairn/internal/ticketing"
	"github.com/cairn-itdr/cairn/internal/work"
)

// Config is what an installation is told.
type Config struct {
	DataDir     string
	DatabaseURL string

	PublicURL      *url.URL
	TrustedProxies []netip.Prefix
	Explorer       bool // the API explorer and schema introspection

	RequestsPerSecond int // of one principal; 0 is without limit
	Operations        int // at once; 0 leaves it to the API

	Retention time.Duration

	// SMTP is the mail server (mail.NewSMTP) and MailFrom the sender; nil where
	// there is none. Outbox, the demo's, takes mails instead.
	SMTP     *url.URL
	MailFrom string
	Outbox   *mail.Outbox
	// MasterKeyFile holds the key that seals secrets (cairn admin init makes it);
	// where there is none, Cairn starts and takes no secrets.
	MasterKeyFile string
	// OutboundAllow opens networks and hosts inside for addresses that people
	// enter (package outbound).
	OutboundAllow []string
	// Components are the parts to run; all where empty.
	Components []string

	// Microsoft says with which applications tenants are watched and acted in.
	Microsoft Microsoft

	// Listening is where the server listens, for links where there is no public URL.
	Listening string

	Logger *slog.Logger
	Now    func() time.Time
}

// App is Cairn, built and not yet serving.
type App struct {
	cfg Config

	db            *database.DB
	log           *activitylog.Log
	registry      *prometheus.Registry
	APIKeys       *apikey.Service
	Incidents     *incident.Service
	Organizations *organization.Service
	Tenants       *tenant.Service
	Members       *member.Service
	Sealer        *audit.Sealer
	Ticketing     *ticketing.Service
	Collect       *collect.Service

	feed *change.Feed
	work *work.Runner

	// importer builds what takes activity in, the first time somebody wants it:
	// reading the address tables takes longer than most commands.
	importer func() (*importer.Importer, error)
	intake   func() (*intake.Intake, error)
}

// Open opens the database, brings its schema up to date, and builds the
// services. Close what it returns.
func Open(ctx context.Context, cfg Config) (*App, error) {
	db, err := database.Open(ctx, database.Config{URL: cfg.DatabaseURL, DataDir: cfg.DataDir})
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, db: db, registry: prometheus.NewRegistry()}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.log = activitylog.New(db, func(shape string, raw []byte) (activity.Activity, error) {
		s := format.ShapeByName(shape)
		if s == nil {
			return activity.Activity{}, fmt.Errorf("no parser named %q: it was stored by a newer cairn", shape)
		}
		return s.Parse(raw)
	})
	a.APIKeys = apikey.New(db, cfg.Now)
	if err := a.openDesk(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	a.Organizations = organization.New(db, cfg.Now)
	a.Tenants = tenant.New(db, cfg.Now)
	a.Sealer = audit.NewSealer(db)
	a.intake = sync.OnceValues(func() (*intake.Intake, error) {
		networks, err := intel.Open(intelDir(cfg.DataDir))
		if err != nil {
			return nil, fmt.Errorf("open the address tables: %w", err)
		}
		return intake.New(db, detect.Standard(), a.Incidents, a.log, networks, cfg.Now), nil
	})
	a.importer = sync.OnceValues(func() (*importer.Importer, error) {
		in, err := a.intake()
		if err != nil {
			return nil, err
		}
		return importer.New(db, in, a.Tenants, cfg.Now), nil
	})
	if err := a.openWatch(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

// mailer is what sends mail.
func (cfg Config) mailer() (member.Mailer, error) {
	switch {
	case cfg.Outbox != nil:
		return cfg.Outbox, nil
	case cfg.SMTP != nil:
		return mail.NewSMTP(cfg.SMTP, cfg.MailFrom)
	}
	return mail.Nowhere{}, nil
}

// link is the address at which users reach a path of this server.
func (cfg Config) link(path string) string {
	if cfg.PublicURL != nil {
		return strings.TrimSuffix(cfg.PublicURL.String(), "/") + path
	}
	return "http://" + cfg.Listening + path
}

// Close closes the database.
func (a *App) Close() error {
	if err := a.db.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// errStopped ends the parts of a running app when one of them ends.
var errStopped = errors.New("stopped")
