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

// Finding is a rule's claim. It is never removed: one that later records
// disproved stays, marked superseded.
type Finding struct{ ent.Schema }

// Annotations of the entity.
func (Finding) Annotations() []schema.Annotation {
	return table("findings", access.Rows{Read: access.IncidentRead, Tenant: "tenant_id", Incident: "incident_id"})
}

// Mixin of the entity.
func (Finding) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (Finding) Fields() []ent.Field {
	return []ent.Field{
		identified("finding"),
		field.String("account_id").Optional().Nillable().MaxLen(64).Immutable(),
		field.String("incident_id").Optional().Nillable().MaxLen(64),
		field.String("natural_key").NotEmpty().Immutable(),
		field.String("book").NotEmpty().Comment("the detection book it was judged from"),
		field.String("rule").NotEmpty().Immutable(),
		field.String("severity").GoType(detect.Severity("")),
		field.String("confidence").GoType(detect.Confidence("")),
		field.String("stage").GoType(detect.Stage("")),
		field.Strings("targets"),
		field.Time("occurred_at"),
		field.Time("last_at"),
		field.Strings("evidence").Comment("activity ids, oldest first"),
		field.Text("explanation"),
		field.Strings("links").Comment("sessions, tokens and attacker addresses that tie it into an episode"),
		field.Time("detected_at").Immutable(),
		field.Bool("is_live").Comment("last_at lay less than a day before detected_at, or after it"),
		field.Time("superseded_at").Optional().Nillable(),
	}
}

// Edges of the entity.
func (Finding) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("findings").Field("account_id").Unique().Immutable(),
		edge.From("incident", Incident.Type).Ref("findings").Field("incident_id").Unique(),
	}
}

// Indexes of the entity.
func (Finding) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("tenant_id", "natural_key").Unique(),
		index.Fields("tenant_id", "book"),
		index.Fields("incident_id"),
		index.Fields("tenant_id", "account_id"),
		index.Fields("organization_id", "occurred_at"),
	}
}
