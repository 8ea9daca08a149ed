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

// NotificationMail is the mail that tells one member of one incident.
type NotificationMail struct{ ent.Schema }

// Annotations of the entity.
func (NotificationMail) Annotations() []schema.Annotation {
	return table("notification_mails", access.Rows{Read: access.MemberRead, Tenant: "tenant_id", Incident: "incident_id"})
}

// Mixin of the entity.
func (NotificationMail) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}, due{}} }

// Fields of the entity.
func (NotificationMail) Fields() []ent.Field {
	return []ent.Field{
		identified("mail"), // derived of incident and member
		field.String("incident_id").MaxLen(64).Immutable(),
		field.String("member_id").MaxLen(64).Immutable(),
		field.Enum("state").NamedValues(
			"Pending", "PENDING",
			"Retrying", "RETRYING",
			"Failed", "FAILED",
			"Sent", "SENT",
			"Cancelled", "CANCELLED",
		).Default("PENDING").Comment("SENT: the mail server took it; CANCELLED: it was not to be sent any more"),
		field.Time("created_at").Immutable(),
		field.Time("sent_at").Optional().Nillable(),
		field.String("last_error").Default("").Comment("why it was not sent, in words for people"),
		field.Time("last_error_at").Optional().Nillable(),
	}
}

// Edges of the entity.
func (NotificationMail) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("incident", Incident.Type).Field("incident_id").Unique().Required().Immutable(),
		edge.To("member", Member.Type).Field("member_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (NotificationMail) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("incident_id", "member_id").Unique(),
		// What is due, newest first.
		index.Fields("organization_id", "urgency", "created_at", "id").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
		index.Fields("organization_id", "created_at", "id"),
	}
}
