package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Member is a person's place in one organization. A removed one stays, for
// the entries and keys that name it.
type Member struct{ ent.Schema }

// Annotations of the entity.
func (Member) Annotations() []schema.Annotation {
	return table("members", access.Rows{Read: access.MemberRead})
}

// Mixin of the entity.
func (Member) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}, granted{}} }

// Fields of the entity.
func (Member) Fields() []ent.Field {
	return []ent.Field{
		identified("member"),
		field.String("email").NotEmpty().MaxLen(254).Immutable().Comment("as it is compared: lower case"),
		field.String("name").MaxRuneLen(200),
		field.Time("created_at").Immutable(),
		field.Time("access_until").Optional().Nillable(),
		field.Time("removed_at").Optional().Nillable(),
		field.Time("last_signed_in_at").Optional().Nillable(),
		field.Enum("mail_incidents").NamedValues(
			"None", "NONE",
			"Live", "LIVE",
		).Optional().Nillable().Comment("the incidents the member gets a mail for; empty where nobody has chosen, and the role says it"),
	}
}

// Indexes of the entity.
func (Member) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "email").Unique().Annotations(entsql.IndexWhere("removed_at IS NULL")),
		index.Fields("email"),
		index.Fields("organization_id", "created_at", "id"),
	}
}
