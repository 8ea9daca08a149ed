package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// IncidentEvent is one step in an incident's life; it is never changed or
// removed. Steps are ordered by their sequence: the clocks of two processes may
// differ, and all that one batch leads to happens at one moment.
type IncidentEvent struct{ ent.Schema }

// Annotations of the entity.
func (IncidentEvent) Annotations() []schema.Annotation {
	return table("incident_events", access.Rows{Read: access.IncidentRead, Tenant: "tenant_id", Incident: "incident_id", Staff: "internal"})
}

// Mixin of the entity.
func (IncidentEvent) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (IncidentEvent) Fields() []ent.Field {
	return []ent.Field{
		identified("event"),
		field.String("incident_id").MaxLen(64).Immutable(),
		field.Int("sequence").Immutable().Comment("the incident's revision that the step made"),
		field.Time("at").Immutable(),
		field.Enum("kind").NamedValues(
			"Opened", "OPENED",
			"Linked", "LINKED",
			"FindingAdded", "FINDING_ADDED",
			"FindingChanged", "FINDING_CHANGED",
			"FindingMoved", "FINDING_MOVED",
			"FindingSuperseded", "FINDING_SUPERSEDED",
			"FindingRestored", "FINDING_RESTORED",
			"SeverityChanged", "SEVERITY_CHANGED",
			"Reclassified", "RECLASSIFIED",
			"Merged", "MERGED",
			"StatusChanged", "STATUS_CHANGED",
			"Reopened", "REOPENED",
			"Published", "PUBLISHED",
			"Noted", "NOTED",
			"Asked", "ASKED",
		).Immutable(),
		field.String("principal").Immutable().Comment("who did it, by name"),
		field.Text("text").Immutable(),
		field.Bool("internal").Default(false).Immutable().Comment("for the MSP's own people, not for guests"),
		field.String("finding_id").Optional().Nillable().MaxLen(64).Immutable(),
		field.String("related_id").Optional().Nillable().MaxLen(64).Immutable().Comment("the other incident a finding moved from or to, that this one is linked to, or one with; the ticket a note was written on"),
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
	return []ent.Index{
		index.Fields("incident_id", "at", "id"),
		index.Fields("incident_id", "sequence").Unique(),
	}
}
