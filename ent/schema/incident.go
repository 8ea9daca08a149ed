package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Incident is what a person must act on: one episode of one account.
type Incident struct{ ent.Schema }

// Annotations of the entity.
func (Incident) Annotations() []schema.Annotation {
	return table("incidents", access.Rows{Read: access.IncidentRead, Tenant: "tenant_id", Published: "published"})
}

// Mixin of the entity.
func (Incident) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (Incident) Fields() []ent.Field {
	return []ent.Field{
		identified("incident"),
		field.String("account_id").Optional().Nillable().MaxLen(64),
		field.Int("number").Immutable().Comment("counts within the organization"),
		field.String("title"),
		field.Enum("kind").NamedValues(
			"AccountCompromise", "ACCOUNT_COMPROMISE",
			"LeftoverPersistence", "LEFTOVER_PERSISTENCE",
		),
		field.Enum("status").NamedValues(
			"Open", "OPEN",
			"Contained", "CONTAINED",
			"Remediated", "REMEDIATED",
			"FalsePositive", "FALSE_POSITIVE",
			"Superseded", "SUPERSEDED",
		).Default("OPEN"),
		field.String("status_reason").Default(""),
		field.String("severity").GoType(detect.Severity("")),
		field.Int("severity_rank").Comment("orders by severity: 0 INFO to 4 CRITICAL"),
		field.Text("explanation"),
		field.Bool("is_live").Comment("the last act seen lay less than a day before detected_at, or after it"),
		field.Bool("published").Default(true),
		field.Time("occurred_at").Comment("the attacker's first act"),
		field.Time("last_activity_at").Comment("the attacker's last act seen"),
		field.Time("detected_at").Immutable().Comment("when it was opened; of one that parted from another, when its first finding was made"),
		field.Time("contained_at").Optional().Nillable(),
		field.Time("remediated_at").Optional().Nillable(),
		field.Time("closed_at").Optional().Nillable().Comment("when it stopped asking for action, whatever the status"),
		field.Int("revision").Default(0).Comment("rises with every change of the incident or of its findings; what mirrors the incident keeps the one it has seen"),
		field.Time("updated_at"),
		field.String("merged_into_id").Optional().Nillable().MaxLen(64),
		field.String("previous_id").Optional().Nillable().MaxLen(64).Comment("the closed episode of the account this one follows"),
	}
}

// Edges of the entity.
func (Incident) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("incidents").Field("account_id").Unique(),
		edge.To("findings", Finding.Type),
		edge.To("events", IncidentEvent.Type),
		edge.To("tickets", Ticket.Type),
		edge.To("mergedFrom", Incident.Type).From("mergedInto").Field("merged_into_id").Unique(),
		edge.To("next", Incident.Type).From("previous").Field("previous_id").Unique(),
	}
}

// Indexes of the entity.
func (Incident) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "number").Unique(),
		index.Fields("organization_id", "detected_at", "id"),
		index.Fields("organization_id", "occurred_at", "id"),
		index.Fields("tenant_id", "account_id"),
	}
}
