package graph

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/collector"
	"github.com/cairn-itdr/cairn/ent/microsoftconnection"
)

// watchLoaders makes the loaders of what is known of tenants being watched.
func (l *loaders) watchLoaders(client *ent.Client) {
	l.connections = newLoader(func(ctx context.Context, tenants []string) (map[string]*ent.MicrosoftConnection, error) {
		list, err := client.MicrosoftConnection.Query().
			Where(microsoftconnection.TenantIDIn(tenants...), microsoftconnection.DisconnectedAtIsNil()).All(ctx)
		return byID("connections", list, err, func(c *ent.MicrosoftConnection) string { return c.TenantID }, nil)
	})
	l.collectors = newLoader(func(ctx context.Context, tenants []string) (map[string][]*ent.Collector, error) {
		list, err := client.Collector.Query().Where(collector.TenantIDIn(tenants...)).Order(collector.ByCreatedAt(), collector.ByID()).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read collectors: %w", err)
		}
		out := map[string][]*ent.Collector{}
		for _, c := range list {
			out[c.TenantID] = append(out[c.TenantID], c)
		}
		return out, nil
	})
}

func (l *loaders) sawTenants(list ...*ent.Tenant) {
	for _, t := range list {
		l.connections.expect(t.ID)
		l.collectors.expect(t.ID)
	}
}
