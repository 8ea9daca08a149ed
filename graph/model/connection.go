package model

import (
	"context"

	"github.com/cairn-itdr/cairn/ent"
)

// Connection is a page of a list.
type Connection[T any] struct {
	Edges    []*Edge[T]
	PageInfo *PageInfo

	// Count counts the whole list; it runs only when totalCount is asked for.
	Count func(context.Context) (int, error)
}

// Edge is an item's place in a list.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// Nodes are the page's items.
func (c *Connection[T]) Nodes() []T {
	nodes := make([]T, len(c.Edges))
	for i, e := range c.Edges {
		nodes[i] = e.Node
	}
	return nodes
}

// TotalCount is how many items the whole list has.
func (c *Connection[T]) TotalCount(ctx context.Context) (int, error) { return c.Count(ctx) }

// The connections by their names in the schema.
//
//nolint:revive // one comment for names that say it themselves
type (
	TenantConnection        = Connection[*ent.Tenant]
	TenantEdge              = Edge[*ent.Tenant]
	AccountConnection       = Connection[*ent.Account]
	AccountEdge             = Edge[*ent.Account]
	IncidentConnection      = Connection[*ent.Incident]
	IncidentEdge            = Edge[*ent.Incident]
	FindingConnection       = Connection[*ent.Finding]
	FindingEdge             = Edge[*ent.Finding]
	ActivityConnection      = Connection[*Activity]
	ActivityEdge            = Edge[*Activity]
	MemberConnection        = Connection[*ent.Member]
	MemberEdge              = Edge[*ent.Member]
	InvitationConnection    = Connection[*ent.Invitation]
	InvitationEdge          = Edge[*ent.Invitation]
	APIKeyConnection        = Connection[*ent.APIKey]
	APIKeyEdge              = Edge[*ent.APIKey]
	PSAConnectionConnection = Connection[*ent.PSAConnection]
	PSAConnectionEdge       = Edge[*ent.PSAConnection]
	TicketConnection        = Connection[*ent.Ticket]
	TicketEdge              = Edge[*ent.Ticket]
	TicketEventConnection   = Connection[*ent.TicketEvent]
	TicketEventEdge         = Edge[*ent.TicketEvent]
	AuditEntryConnection    = Connection[*AuditEntry]
	AuditEntryEdge          = Edge[*AuditEntry]
	TimelineEntryConnection = Connection[TimelineEntry]
	TimelineEntryEdge       = Edge[TimelineEntry]
)
