package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Invitation offers somebody a place in an organization.
type Invitation struct{ ent.Schema }

// Annotations of the entity.
func (Invitation) Annotations() []schema.Annotation {
	return table("invitations", access.Rows{Read: access.MemberRead})
}

// Mixin of the entity.
func (Invitation) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}, granted{}} }

// Fields of the entity.
func (Invitation) Fields() []ent.Field {
	return []ent.Field{
		identified("invitation"),
		field.String("email").NotEmpty().MaxLen(254).Immutable().Comment("as it is compared: lower case"),
		field.Bytes("hash").Sensitive().Unique().Comment("SHA-256 of the link's secret; resending makes another"),
		field.String("invited_by").Immutable().Comment("the name of who invited"),
		field.Time("created_at").Immutable(),
		field.Time("expires_at"),
		field.Time("access_until").Optional().Nillable().Comment("when the member's access is to end"),
		field.Time("accepted_at").Optional().Nillable(),
		field.Time("revoked_at").Optional().Nillable(),
		field.Time("sent_at").Optional().Nillable().Comment("when the mail server took it last"),
		field.String("send_error").Default("").Comment("why it could not be sent last; empty where it could"),
	}
}

// Indexes of the entity.
func (Invitation) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "email"),
		index.Fields("organization_id", "created_at", "id"),
	}
}
