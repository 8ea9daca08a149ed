package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Ticket is an incident's mirror in one PSA: what is wanted there (the incident
// up to wanted_revision), what has been done, and what was last seen.
type Ticket struct{ ent.Schema }

// Annotations of the entity.
func (Ticket) Annotations() []schema.Annotation {
	return table("tickets", access.Rows{Read: access.TicketRead, Tenant: "tenant_id", Incident: "incident_id"})
}

// Mixin of the entity.
func (Ticket) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}, due{}} }

// Fields of the entity.
func (Ticket) Fields() []ent.Field {
	return []ent.Field{
		identified("ticket"), // derived of the incident and the PSA's account: it is the reference in the PSA
		field.String("incident_id").MaxLen(64).Immutable(),
		field.String("connection_id").MaxLen(64).Immutable(),
		field.Enum("state").NamedValues(
			"Pending", "PENDING",
			"Waiting", "WAITING",
			"Retrying", "RETRYING",
			"Failed", "FAILED",
			"Synced", "SYNCED",
			"Deleted", "DELETED",
			"Cancelled", "CANCELLED",
		).Default("PENDING"),
		field.Time("created_at").Immutable(),
		field.Time("updated_at"),

		// Wanted and done.
		field.Int("wanted_revision").Comment("the incident's revision that is to be mirrored"),
		field.Int("opened_revision").Default(0).Comment("what the ticket's first text tells; events above it are notes. Fixed before the first attempt to create it"),
		field.Int("synced_revision").Default(0).Comment("mirrored up to here"),
		field.Bool("pushed_closed").Default(false).Comment("the last word to the PSA was that it is closed"),
		field.String("pushed_title").Default(""),
		field.String("pushed_severity").Default(""),

		// Seen in the PSA.
		field.String("external_id").Default(""),
		field.String("external_number").Default(""),
		field.String("external_url").Default(""),
		field.String("company_id").Default(""),
		field.String("company_name").Default(""),
		field.String("external_status").Default("").Comment("as the PSA names it"),
		field.String("external_status_id").Default(""),
		field.Bool("external_closed").Default(false),
		field.Time("seen_at").Optional().Nillable(),
		field.Time("notes_as_of").Optional().Nillable().Comment("people's notes have been read as of this change of the ticket, by the PSA's clock"),
		field.String("external_board_id").Default(""),
		field.Bool("doubled").Default(false).Comment("another ticket with its reference was seen: look which, and close it"),
		field.Bool("merged").Default(false).Comment("it was merged into a ticket of somebody else's, to which Cairn adds notes and nothing else"),
		field.Int("closed_revision").Default(0).Comment("the incident's revision when somebody closed it in the PSA: news above it open it again"),

		// How the work goes.
		field.String("last_error").Default(""),
		field.String("last_error_reason").Default("").Comment("psa.Reason"),
		field.Time("last_error_at").Optional().Nillable(),
	}
}

// Edges of the entity.
func (Ticket) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("incident", Incident.Type).Ref("tickets").Field("incident_id").Unique().Required().Immutable(),
		edge.From("connection", PSAConnection.Type).Ref("tickets").Field("connection_id").Unique().Required().Immutable(),
		edge.To("steps", TicketStep.Type),
		edge.To("events", TicketEvent.Type),
	}
}

// Indexes of the entity.
func (Ticket) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("incident_id", "connection_id").Unique(),
		index.Fields("connection_id", "external_id"),
		// What is due, newest first.
		index.Fields("connection_id", "urgency", "created_at", "id").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
		index.Fields("organization_id", "created_at", "id"),
	}
}
