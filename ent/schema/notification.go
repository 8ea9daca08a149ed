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

// Notification says that members are to hear of an incident. Whom that is, is
// found out when the row is worked on, and once more when the incident is published.
type Notification struct{ ent.Schema }

// Annotations of the entity.
func (Notification) Annotations() []schema.Annotation {
	return table("notifications", access.Rows{Internal: true})
}

// Mixin of the entity.
func (Notification) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}, due{}} }

// Fields of the entity.
func (Notification) Fields() []ent.Field {
	return []ent.Field{
		identified("notification"), // derived of the incident
		field.String("incident_id").MaxLen(64).Immutable(),
		field.Bool("published").Comment("those are to hear as well who see published incidents alone"),
		field.Time("created_at").Immutable(),
	}
}

// Edges of the entity.
func (Notification) Edges() []ent.Edge {
	return []ent.Edge{edge.To("incident", Incident.Type).Field("incident_id").Unique().Required().Immutable()}
}

// Indexes of the entity.
func (Notification) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("incident_id").Unique(),
		index.Fields("organization_id", "created_at", "id").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
	}
}
