package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// TicketNote is a note that is, or is about to be, on a ticket: one event of
// its incident.
type TicketNote struct{ ent.Schema }

// Annotations of the entity.
func (TicketNote) Annotations() []schema.Annotation {
	return table("ticket_notes", access.Rows{Read: access.TicketRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (TicketNote) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (TicketNote) Fields() []ent.Field {
	return []ent.Field{
		identified("note"),
		field.String("ticket_id").MaxLen(64).Immutable(),
		field.Int("sequence").Immutable().Comment("of the incident's event it tells"),
		field.Time("attempted_at").Comment("where external_id is empty, whether it is there is not known: look for its marker"),
		field.String("external_id").Default(""),
	}
}

// Edges of the entity.
func (TicketNote) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("ticket", Ticket.Type).Ref("notes").Field("ticket_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (TicketNote) Indexes() []ent.Index {
	return []ent.Index{index.Fields("ticket_id", "sequence").Unique()}
}
