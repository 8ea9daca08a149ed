package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// IncidentEvent is one step in an incident's life; it is never changed or removed.
type IncidentEvent struct{ ent.Schema }

// Annotations of the entity.
func (IncidentEvent) Annotations() []schema.Annotation { return table("incident_events") }

// Mixin of the entity.
func (IncidentEvent) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (IncidentEvent) Fields() []ent.Field {
	return []ent.Field{
		identified("event"),
		field.String("incident_id").MaxLen(64).Immutable(),
		field.Time("at").Immutable(),
		field.Enum("kind").NamedValues(
			"Opened", "OPENED",
			"FindingAdded", "FINDING_ADDED",
			"FindingSuperseded", "FINDING_SUPERSEDED",
			"Merged", "MERGED",
			"StatusChanged", "STATUS_CHANGED",
		).Immutable(),
		field.String("principal").Immutable().Comment("who did it, by name"),
		field.Text("text").Immutable(),
		field.String("finding_id").Optional().Nillable().MaxLen(64).Immutable(),
	}
}

// Edges of the entity.
func (IncidentEvent) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("incident", Incident.Type).Ref("events").Field("incident_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (IncidentEvent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("incident_id", "at", "id")}
}
