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
func (Ticket) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (Ticket) Fields() []ent.Field {
	return []ent.Field{
		identified("ticket"),
		field.String("incident_id").MaxLen(64).Immutable(),
		field.String("connection_id").MaxLen(64).Immutable(),
		field.Enum("state").NamedValues(
			"Pending", "PENDING",
			"Waiting", "WAITING",
			"Retrying", "RETRYING",
			"Failed", "FAILED",
			"Synced", "SYNCED",
			"Deleted", "DELETED",
		).Default("PENDING"),
		field.Time("created_at").Immutable(),
		field.Time("updated_at"),

		// Wanted and done.
		field.Int("wanted_revision").Comment("the incident's revision that is to be mirrored"),
		field.Int("opened_revision").Default(0).Comment("what the ticket's first text tells; events above it are notes. Fixed before the first attempt to create it"),
		field.Int("synced_revision").Default(0).Comment("mirrored up to here"),
		field.Time("attempted_at").Optional().Nillable().Comment("an attempt to create it began then, and its outcome is not known: look before creating"),
		field.Time("verify_at").Optional().Nillable().Comment("an attempt of unknown outcome may have been done late: look for a second ticket then"),
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
		field.Bool("look").Default(false).Comment("something was said to have changed in the PSA: read it"),

		// How the work goes.
		field.Int("attempts").Default(0).Comment("failed ones in a row"),
		field.Time("next_attempt_at").Optional().Nillable().Comment("when there is something to do; empty where there is nothing"),
		field.String("last_error").Default(""),
		field.String("last_error_reason").Default("").Comment("psa.Reason"),
		field.Time("last_error_at").Optional().Nillable(),
		field.String("claim").Default("").Comment("who works on it"),
		field.Time("claimed_until").Optional().Nillable(),
	}
}

// Edges of the entity.
func (Ticket) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("incident", Incident.Type).Ref("tickets").Field("incident_id").Unique().Required().Immutable(),
		edge.From("connection", PSAConnection.Type).Ref("tickets").Field("connection_id").Unique().Required().Immutable(),
		edge.To("notes", TicketNote.Type),
		edge.To("events", TicketEvent.Type),
	}
}

// Indexes of the entity.
func (Ticket) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("incident_id", "connection_id").Unique(),
		index.Fields("connection_id", "external_id"),
		// What is due, newest first.
		index.Fields("connection_id", "created_at", "id").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
		index.Fields("organization_id", "created_at", "id"),
	}
}
