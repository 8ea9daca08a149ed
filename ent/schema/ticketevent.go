package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// TicketEvent is one thing that happened to a ticket, by Cairn or in the PSA;
// it is never changed or removed.
type TicketEvent struct{ ent.Schema }

// Annotations of the entity.
func (TicketEvent) Annotations() []schema.Annotation {
	return table("ticket_events", access.Rows{Read: access.TicketRead, Tenant: "tenant_id", Staff: "internal"})
}

// Mixin of the entity.
func (TicketEvent) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (TicketEvent) Fields() []ent.Field {
	return []ent.Field{
		identified("event"),
		field.String("ticket_id").MaxLen(64).Immutable(),
		field.Time("at").Immutable(),
		field.Enum("kind").NamedValues(
			"Requested", "REQUESTED",
			"Waiting", "WAITING",
			"Created", "CREATED",
			"Found", "FOUND",
			"Noted", "NOTED",
			"Updated", "UPDATED",
			"StatusChanged", "STATUS_CHANGED",
			"Closed", "CLOSED",
			"Reopened", "REOPENED",
			"Merged", "MERGED",
			"Moved", "MOVED",
			"Replied", "REPLIED",
			"Cancelled", "CANCELLED",
			"Deleted", "DELETED",
			"DuplicateClosed", "DUPLICATE_CLOSED",
			"Failed", "FAILED",
			"Retried", "RETRIED",
		).Immutable(),
		field.Bool("in_psa").Immutable().Comment("somebody did it in the PSA"),
		field.String("by").Immutable().Comment("who, as the PSA or Cairn names them; empty where unknown"),
		field.Text("text").Immutable(),
		field.Bool("internal").Default(false).Immutable().Comment("of a note in the PSA: the company's people do not read it there, and guests not here"),
		field.String("external_id").Optional().Nillable().Immutable().Comment("of the note in the PSA it repeats"),
	}
}

// Edges of the entity.
func (TicketEvent) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("ticket", Ticket.Type).Ref("events").Field("ticket_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (TicketEvent) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("ticket_id", "at", "id"),
		index.Fields("ticket_id", "external_id").Unique(),
	}
}
