package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// The demo's application in the simulated Microsoft cloud.
const (
	demoClientID  = "c0de0000-0000-4000-8000-00000000d3c0"
	demoPublisher = "c0de0000-0000-4000-8000-00000000a1b2"
	demoSecret    = "secretOfTheDemo~d3c0"
)

// demoPace reads the simulated cloud every other second, and its past in large steps.
var demoPace = collect.Pace{
	Poll: 2 * time.Second, Overlap: time.Hour, Window: 10 * 24 * time.Hour, Baseline: 72 * time.Hour,
	Lease: time.Minute, Retry: time.Second, RetryMost: time.Minute,
}

// simulatedCloud starts a Microsoft cloud with the world's tenants, in which the
// demo's application is registered, and says how Cairn reaches it.
func simulatedCloud(ctx context.Context, world *simulator.World, callback string, now func() time.Time) (*microsoft.Cloud, Microsoft, error) {
	cloud, err := microsoft.Start(ctx, "127.0.0.1:0", microsoft.Options{
		World: world, Clock: psa.NewClock(now(), 1, now), Late: &microsoft.Lateness{Most: time.Second}, BlobEvery: 2 * time.Second,
	})
	if err != nil {
		return nil, Microsoft{}, fmt.Errorf("start the simulated Microsoft cloud: %w", err)
	}
	public := microsoft365.Public()
	audiences := map[string]string{
		microsoft365.APIGraph: public.Graph.Audience, microsoft365.APIManagement: public.Management.Audience,
		microsoft365.APIExchange: public.Exchange.Audience,
	}
	asked := map[string][]string{}
	for _, p := range microsoft365.Asked(microsoft365.LevelDetection) {
		asked[audiences[p.API]] = append(asked[audiences[p.API]], p.Name)
	}
	cloud.Register(microsoft.App{
		ClientID: demoClientID, Name: "Cairn", Secret: demoSecret, Permissions: asked, TellRoles: true,
		Redirects: []string{callback + collect.ConsentPath, callback + collect.SignInPath},
	})
	endpoints := microsoft365.At(cloud.Address())
	return cloud, Microsoft{
		ClientID: demoClientID, Publisher: demoPublisher, endpoints: &endpoints, client: cloud.Client(), secret: demoSecret, pace: &demoPace,
	}, nil
}

// consent does what a tenant's administrator does: opens the link, consents, signs in.
func (a *App) consent(ctx context.Context, cloud *microsoft.Cloud, t *microsoft.Tenant, row *ent.Tenant) error {
	link, err := a.Collect.Connect(ctx, row.ID, microsoft365.LevelDetection)
	if err != nil {
		return err
	}
	who := slices.IndexFunc(t.World().Accounts, func(u *simulator.Account) bool { return u.Administrator })
	if who < 0 {
		return fmt.Errorf("%s has no administrator", row.Name)
	}
	cloud.Visit(microsoft.Visitor{Tenant: t, Account: t.World().Accounts[who].UserPrincipalName})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return fmt.Errorf("open the consent link: %w", err)
	}
	answer, err := cloud.Client().Do(request)
	if err != nil {
		return fmt.Errorf("consent for %s: %w", row.Name, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
		return fmt.Errorf("consent for %s: %s %s", row.Name, answer.Status, text)
	}
	return nil
}
