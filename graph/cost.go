package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"

	"github.com/cairn-itdr/cairn/graph/generated"
	"github.com/cairn-itdr/cairn/graph/model"
)

// maxCost is the most an operation may cost. A field costs one; a page costs
// what it asks of an item, times the items it may have.
const maxCost = 50_000

// ceiling keeps costs of nested pages from overflowing.
const ceiling = 1 << 40

func times(n, child int) int { return 1 + min(n*min(child, ceiling), ceiling) }

func pageCost(child int, first, last *int) int {
	n := defaultPage
	if first != nil {
		n = *first
	} else if last != nil {
		n = *last
	}
	return times(min(max(n, 1), maxPage), child)
}

func nestedCost(child int, first *int, _ *string, last *int, _ *string) int {
	return pageCost(child, first, last)
}

func costs() (c generated.ComplexityRoot) {
	c.Query.Tenants = func(child int, _ *model.TenantFilter, _ *model.TenantOrder, first *int, _ *string, last *int, _ *string) int {
		return pageCost(child, first, last)
	}
	c.Query.Accounts = func(child int, _ *model.AccountFilter, _ *model.AccountOrder, first *int, _ *string, last *int, _ *string) int {
		return pageCost(child, first, last)
	}
	c.Query.Incidents = func(child int, _ *model.IncidentFilter, _ *model.IncidentOrder, first *int, _ *string, last *int, _ *string) int {
		return pageCost(child, first, last)
	}
	c.Query.Activities = func(child int, filter model.ActivityFilter, _ *model.ActivityOrder, first *int, _ *string, last *int, _ *string) int {
		cost := pageCost(child, first, last)
		if filter.Text != nil || filter.Subject != nil || filter.Sender != nil {
			cost += scanCost
		}
		return cost
	}
	c.Query.Nodes = func(child int, ids []string) int { return times(len(ids), child) }
	c.Incident.Findings = nestedCost
	c.Incident.Timeline = nestedCost
	c.Finding.Evidence = nestedCost
	c.TimelineEvidence.Findings = func(child int) int { return times(findingsOfEvidence, child) }
	c.FailedAttackSummary.ByDay = func(child int) int { return times(failedAttackDays, child) }
	c.FailedAttackSummary.ByCountry = func(child int) int { return times(defaultPage, child) }
	c.FailedAttackSummary.TopAccounts = func(child, first int) int { return times(min(max(first, 1), maxPage), child) }
	return c
}

// scanCost is what it costs to look for a part of a text: no index serves, and
// all that the other filters leave is read.
const scanCost = 5_000

// Lists without pages, by what they usually hold.
const (
	findingsOfEvidence = 3
	failedAttackDays   = 30
)

// showCost says in extensions.cost what the operation cost.
func showCost(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if graphql.HasOperationContext(ctx) {
		if s := extension.GetComplexityStats(ctx); s != nil {
			graphql.RegisterExtension(ctx, "cost", map[string]int{"requested": s.Complexity, "limit": s.ComplexityLimit})
		}
	}
	return next(ctx)
}
