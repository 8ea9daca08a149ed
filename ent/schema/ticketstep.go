package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// TicketStep is one call that changes a PSA: written before it is made, and
// again when it has ended. One whose end is not written was cut short.
type TicketStep struct{ ent.Schema }

// Annotations of the entity.
func (TicketStep) Annotations() []schema.Annotation {
	return table("ticket_steps", access.Rows{Read: access.TicketRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (TicketStep) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (TicketStep) Fields() []ent.Field {
	return []ent.Field{
		identified("step"),
		field.String("ticket_id").MaxLen(64).Immutable(),
		field.Enum("kind").NamedValues(
			"Create", "CREATE",
			"Note", "NOTE",
			"Update", "UPDATE",
		).Immutable(),
		field.Int("fence").Immutable().Comment("the claim it was made under: of an earlier one, whose end is not written, nobody waits for the end"),
		field.Time("began_at").Immutable(),
		field.Time("ended_at").Optional().Nillable(),
		field.Enum("outcome").NamedValues(
			"Begun", "BEGUN",
			"Done", "DONE",
			"NotDone", "NOT_DONE",
			"Unclear", "UNCLEAR",
			"Settled", "SETTLED",
		).Default("BEGUN").Comment("UNCLEAR may have been done, or be done yet; SETTLED was, and has been looked after"),
		field.String("external_id").Default("").Comment("what it made"),

		// What it tells.
		field.Int("sequence").Default(0).Immutable().Comment("of a note: the incident's event; of the others: the incident's revision"),
		field.String("title").Default("").Immutable(),
		field.String("severity").Default("").Immutable(),
		field.Bool("closed").Default(false).Immutable(),
	}
}

// Edges of the entity.
func (TicketStep) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("ticket", Ticket.Type).Ref("steps").Field("ticket_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (TicketStep) Indexes() []ent.Index {
	return []ent.Index{index.Fields("ticket_id", "kind", "sequence")}
}
