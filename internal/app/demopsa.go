package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
	"github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
	"github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// simulatedPSA is a PSA of the demo: a real HTTP server on a port of its own.
type simulatedPSA struct {
	kind, name string
	fields     map[string]string
	listener   net.Listener
	handler    http.Handler
	// company adds one; the demo's tenants are the MSP's customers.
	company func(id int, name, website, microsoftTenant string)
	deliver func(ctx context.Context) // calls back until ctx ends
}

// url is where it answers, and its page of tickets is.
func (p *simulatedPSA) url() string { return "http://" + p.listener.Addr().String() }

// simulatedPSAs starts listening for the demo's PSAs.
func simulatedPSAs(ctx context.Context, now func() time.Time) (all []*simulatedPSA, err error) {
	listen := func() net.Listener {
		l, listenErr := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		err = errors.Join(err, listenErr)
		return l
	}
	cw, halo, at := listen(), listen(), listen()
	if err != nil {
		return nil, fmt.Errorf("listen for the simulated PSAs: %w", err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	c := connectwise.New(connectwise.Config{Now: now, Client: client})
	c.SetAddress("http://" + cw.Addr().String())
	h := halopsa.New(halopsa.Config{Now: now, Client: client})
	a := autotask.New(autotask.Config{Now: now, Client: client})
	return []*simulatedPSA{
		{
			kind: "CONNECTWISE", name: "ConnectWise of the demo", listener: cw, handler: c, deliver: c.Deliver,
			company: func(id int, name, website, _ string) { c.AddCompany(id, name, website) },
			fields: map[string]string{
				"site": "http://" + cw.Addr().String(), "companyId": connectwise.DemoCompanyID, "publicKey": connectwise.DemoPublicKey,
				"privateKey": connectwise.DemoPrivateKey, "clientId": connectwise.DemoClientID,
			},
		},
		{
			kind: "HALOPSA", name: "HaloPSA of the demo", listener: halo, handler: h, deliver: h.Deliver,
			company: h.AddClient,
			fields:  map[string]string{"site": "http://" + halo.Addr().String(), "clientId": halopsa.DemoClientID, "clientSecret": halopsa.DemoClientSecret},
		},
		{
			kind: "AUTOTASK", name: "Autotask of the demo", listener: at, handler: a, deliver: a.Deliver,
			company: func(id int, name, website, _ string) { a.AddCompany(id, name, website) },
			fields: map[string]string{
				"site": "http://" + at.Addr().String(), "userName": autotask.DemoUserName, "secret": autotask.DemoSecret,
				"integrationCode": autotask.DemoIntegrationCode,
			},
		},
	}, nil
}

// serve answers until ctx ends.
func (p *simulatedPSA) serve(ctx context.Context) error {
	server := &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(server.Close(), ctx.Err())
	})
	g.Go(func() error {
		p.deliver(ctx)
		return nil
	})
	g.Go(func() error {
		if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("simulated %s: %w", p.kind, err)
		}
		return nil
	})
	return g.Wait()
}

// firstCompany is the id of the demo's first tenant in the PSAs.
const firstCompany = 900

// connectPSA connects a simulated PSA, chooses what a person would choose, and
// says which company each tenant is.
func (a *App) connectPSA(ctx context.Context, p *simulatedPSA, world *simulator.World, tenants map[string]*ent.Tenant) error {
	for i, t := range world.Tenants {
		p.company(firstCompany+i, t.Name, "https://www."+t.Domain, t.ID.String())
	}
	c, err := a.Ticketing.Connect(ctx, ticketing.Connect{Kind: p.kind, Name: p.name, Fields: p.fields})
	if err != nil {
		return fmt.Errorf("connect the simulated %s: %w", p.kind, err)
	}
	// A choice may open others: a board its statuses.
	for range 5 {
		settings, err := a.Ticketing.Settings(ctx, c)
		if err != nil {
			return fmt.Errorf("read the settings of %s: %w", p.name, err)
		}
		chosen := map[ticketing.Setting]string{}
		for _, s := range settings {
			if id := choose(s); s.Chosen == "" && id != "" {
				chosen[s.Setting] = id
			}
		}
		if len(chosen) == 0 {
			break
		}
		if c, err = a.Ticketing.UpdateConnection(ctx, c.ID, ticketing.Update{Settings: chosen}); err != nil {
			return fmt.Errorf("choose the settings of %s: %w", p.name, err)
		}
	}
	for i, t := range world.Tenants {
		if _, err := a.Ticketing.MapTenantToCompany(ctx, c.ID, tenants[t.Name].ID, strconv.Itoa(firstCompany+i)); err != nil {
			return fmt.Errorf("map %s in %s: %w", t.Name, p.name, err)
		}
	}
	return nil
}

// choose picks what fits a setting by its name, else the PSA's default where the
// setting must be chosen.
func choose(s ticketing.SettingChoices) string {
	wanted := map[ticketing.Setting][]string{
		"BOARD": {"security"}, ticketing.PriorityCritical: {"critical", "1 "}, ticketing.PriorityHigh: {"high", "2 "},
		ticketing.PriorityMedium: {"medium", "3 "}, ticketing.PriorityLow: {"low", "4 "},
	}[s.Setting]
	switch {
	case strings.HasSuffix(string(s.Setting), "_INTERNAL"):
		wanted = []string{"private", "internal"}
	case strings.HasSuffix(string(s.Setting), "_PUBLIC"):
		wanted = []string{"public", "all"}
	}
	fallback := ""
	for _, o := range s.Offered {
		if o.Inactive {
			continue
		}
		for _, w := range wanted {
			if strings.Contains(strings.ToLower(o.Name)+" ", w) {
				return o.ID
			}
		}
		if s.Setting == ticketing.StatusClosed && o.Closed {
			return o.ID
		}
		if fallback == "" && s.Setting != ticketing.StatusClosed || o.Default {
			fallback = o.ID
		}
	}
	if !s.Required {
		return ""
	}
	return fallback
}
