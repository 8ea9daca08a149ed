package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/microsoftconnection"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// DemoStart is what a person or program needs to use the demo.
type DemoStart struct {
	Explorer string `json:"explorer"`
	API      string `json:"api"`
	APIKey   string `json:"apiKey"`
	Query    string `json:"query"`
	SignIn   string `json:"signIn"`
	Admin    string `json:"admin"` // who may sign in
	Guest    string `json:"guest"`
	Mails    string `json:"mails"` // where the link then is
	// Pages of tickets of the simulated PSAs.
	ConnectWise string `json:"connectWise"`
	HaloPSA     string `json:"haloPsa"`
	Autotask    string `json:"autotask"`
	DataDir     string `json:"dataDir"`
}

const (
	// demoHistory is how much benign life the demo's tenants begin with.
	demoHistory = 12 * 24 * time.Hour
	// demoOldCompromise is how long ago the compromise lies that was never cleaned up.
	demoOldCompromise = 60 * 24 * time.Hour
	// demoBlockedSpray is how long ago a password spray failed.
	demoBlockedSpray = 30 * time.Hour
	// demoAttackSpan is how long the live attack takes in its own time; it is
	// told in demoAttackPace steps, so that one can watch it.
	demoAttackSpan = 40 * time.Minute
	demoAttackPace = 700 * time.Millisecond
	demoSeed       = 20
	// The demo's people: one of the MSP, one of the attacked tenant.
	demoAdmin = "ada@msp.example"
	demoGuest = "it@client.example"
	demoMark  = "demo"
)

// ErrNotADemo refuses a data folder that holds something else.
var ErrNotADemo = errors.New("the folder is not empty and holds no demo: the demo starts with an empty folder each time")

// Demo runs Cairn over simulated tenants until ctx ends: some days of their
// benign life, an old compromise, and an attack while one watches. It keeps
// its data in dataDir, which it empties first where an earlier demo left it;
// with dataDir empty it uses a temporary folder and removes it at the end.
func Demo(ctx context.Context, cfg Config, listener net.Listener, start func(DemoStart) error) (err error) {
	if cfg.DataDir == "" {
		if cfg.DataDir, err = os.MkdirTemp("", "cairn-demo-"); err != nil {
			return fmt.Errorf("make the demo's folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.DataDir)) }()
	} else if err := emptyDemoFolder(cfg.DataDir); err != nil {
		return err
	}
	cfg.Outbox, cfg.Listening = mail.NewOutbox(cfg.Now), listener.Addr().String()
	keys, err := os.MkdirTemp("", "cairn-demo-key-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's master key: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(keys)) }()
	cfg.MasterKeyFile = filepath.Join(keys, "master.key")
	if err := MakeMasterKey(cfg.MasterKeyFile, cfg.DataDir); err != nil {
		return err
	}
	cfg.OutboundAllow = append(cfg.OutboundAllow, "127.0.0.1") // where the simulators are
	psas, err := simulatedPSAs(ctx, cfg.Now)
	if err != nil {
		return err
	}
	world := simulator.New(simulator.Config{Seed: demoSeed})
	cloud, application, err := simulatedCloud(ctx, world, cfg.link(""), cfg.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	cfg.Microsoft = application
	a, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	organization, err := a.Organizations.Resolve(ctx, "")
	if err != nil {
		return err
	}
	scoped := access.System(ctx, "demo", organization.ID)
	_, key, err := a.APIKeys.Create(scoped, apikey.Create{Name: "demo", Role: access.RoleAdmin})
	if err != nil {
		return err
	}
	if _, _, err := a.Members.Create(scoped, demoAdmin, "Ada Admin", member.Place{Role: access.RoleAdmin}); err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	if cfg.PublicURL != nil {
		address = cfg.PublicURL.String()
	}
	err = start(DemoStart{
		Explorer: address + "/explorer/", API: address + "/graphql", APIKey: key, Query: FirstQuery,
		SignIn: address + "/signin", Admin: demoAdmin, Guest: demoGuest, Mails: address + "/mails/",
		ConnectWise: psas[0].url(), HaloPSA: psas[1].url(), Autotask: psas[2].url(), DataDir: cfg.DataDir,
	})
	if err != nil {
		return err
	}
	g, scoped := errgroup.WithContext(scoped)
	g.Go(func() error { return errors.Join(a.Serve(scoped, listener), errStopped) })
	for _, p := range psas {
		g.Go(func() error { return p.serve(scoped) })
	}
	g.Go(func() error { return a.tell(scoped, world, cloud, psas) })
	if err := g.Wait(); !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func emptyDemoFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into the demo's folder: %w", err)
	}
	mark := filepath.Join(dir, demoMark)
	if len(entries) > 0 {
		if _, err := os.Stat(mark); err != nil {
			return fmt.Errorf("%s: %w", dir, ErrNotADemo)
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("empty the demo's folder: %w", err)
			}
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if err := os.WriteFile(mark, []byte("cairn demo empties this folder when it starts\n"), 0o600); err != nil {
		return fmt.Errorf("mark the demo's folder: %w", err)
	}
	return nil
}

// story is the demo's: what happens in the simulated Microsoft cloud, and an
// export of something older than Microsoft's logs reach.
type story struct {
	app     *App
	world   *simulator.World
	cloud   *microsoft.Cloud
	tenants map[string]*ent.Tenant // by name
}

// tell tells the story until ctx ends.
func (a *App) tell(ctx context.Context, world *simulator.World, cloud *microsoft.Cloud, psas []*simulatedPSA) error {
	now := a.cfg.Now()
	s := story{app: a, world: world, cloud: cloud, tenants: map[string]*ent.Tenant{}}
	for _, t := range s.world.Tenants {
		made, err := a.Tenants.Create(ctx, tenant.Create{Name: t.Name, MicrosoftTenantID: t.ID.String()})
		if err != nil {
			return err
		}
		s.tenants[t.Name] = made
	}
	attacked, old := s.world.Tenants[0], s.world.Tenants[1]
	_, _, err := a.Members.Create(ctx, demoGuest, "Ian of the client", member.Place{
		Role: access.RoleExternalGuest, Tenants: []string{s.tenants[attacked.Name].ID},
	})
	if err != nil {
		return err
	}
	if err := s.feed(ctx, old, s.world.Attack(simulator.OldCompromise, old, now.Add(-demoOldCompromise)).Records...); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range psas { // while the story goes on: their budgets of calls take their time
		g.Go(func() error { return a.connectPSA(ctx, p, s.world, s.tenants) })
	}
	g.Go(func() error { return s.goOn(ctx, attacked) })
	return g.Wait()
}

// goOn has the tenants live, consent and be watched, and one of them attacked.
func (s *story) goOn(ctx context.Context, attacked *simulator.Tenant) error {
	now := s.app.cfg.Now()
	blocked := s.cloud.Tenant(s.world.Tenants[2].Domain)
	blocked.Known(s.world.Attack(simulator.BlockedSpray, blocked.World(), now.Add(-demoBlockedSpray)).Records...)
	for _, t := range s.cloud.Tenants() {
		t.Live(now.Add(-demoHistory))
		if err := s.app.consent(ctx, s.cloud, t, s.tenants[t.World().Name]); err != nil {
			return err
		}
	}
	if err := s.caughtUp(ctx, attacked); err != nil {
		return err
	}
	victim := s.cloud.Tenant(attacked.Domain)
	for _, r := range s.world.Attack(simulator.TokenTheft, attacked, s.app.cfg.Now().Add(-demoAttackSpan)).Records {
		victim.Feed(r)
		if err := wait(ctx, demoAttackPace); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// caughtUp waits until the tenant's past has been read: an attack is judged
// against it.
func (s *story) caughtUp(ctx context.Context, t *simulator.Tenant) error {
	for {
		connection, err := s.app.db.Client().MicrosoftConnection.Query().
			Where(microsoftconnection.TenantID(s.tenants[t.Name].ID)).Only(ctx)
		if err != nil {
			return fmt.Errorf("look how far %s was read: %w", t.Name, err)
		}
		if connection.CaughtUpAt != nil {
			return nil
		}
		if err := wait(ctx, demoAttackPace); err != nil {
			return err
		}
	}
}

// feed imports records of one tenant.
func (s *story) feed(ctx context.Context, t *simulator.Tenant, records ...simulator.Record) error {
	var lines bytes.Buffer
	for _, r := range records {
		lines.Write(r.Raw)
		lines.WriteByte('\n')
	}
	source := importer.Source{Name: "simulated", Open: func() (io.ReadCloser, error) { return io.NopCloser(&lines), nil }}
	in, err := s.app.importer()
	if err != nil {
		return err
	}
	summary, err := in.Import(ctx, s.tenants[t.Name], []importer.Source{source}, importer.Options{})
	if err == nil && (summary.Rejected > 0 || len(summary.Refused) > 0) {
		err = fmt.Errorf("demo: records refused: %v %v", summary.Rejections, summary.Refused)
	}
	return err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WriteText prints the start as name: value lines.
func (s DemoStart) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "explorer: %s\napi: %s\napi-key: %s\nquery: %s\nsign-in: %s\nadmin: %s\nguest: %s\nmails: %s\nconnectwise: %s\nhalopsa: %s\nautotask: %s\ndata-dir: %s\n",
		s.Explorer, s.API, s.APIKey, s.Query, s.SignIn, s.Admin, s.Guest, s.Mails, s.ConnectWise, s.HaloPSA, s.Autotask, s.DataDir)
	return err
}

// WriteJSON prints the start as one JSON object on a line.
func (s DemoStart) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(s) //nolint:gosec // the key is what the demo is to tell
}
