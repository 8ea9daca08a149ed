package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// SignInLink lets a member in once. The secret in it is stored nowhere.
type SignInLink struct{ ent.Schema }

// Annotations of the entity.
func (SignInLink) Annotations() []schema.Annotation {
	return table("sign_in_links", access.Rows{Internal: true})
}

// Mixin of the entity.
func (SignInLink) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (SignInLink) Fields() []ent.Field {
	return []ent.Field{
		identified("signinlink"),
		field.String("member_id").MaxLen(64).Immutable(),
		field.Bytes("hash").Sensitive().Unique().Immutable().Comment("SHA-256 of the secret"),
		field.Bytes("browser").Optional().Sensitive().Immutable().
			Comment("SHA-256 of the cookie of the browser it was asked for in; empty where it works in any"),
		field.String("address").Immutable().Comment("where it was asked for from"),
		field.Time("created_at").Immutable(),
		field.Time("expires_at").Immutable(),
		field.Time("used_at").Optional().Nillable(),
	}
}

// Indexes of the entity.
func (SignInLink) Indexes() []ent.Index {
	return []ent.Index{index.Fields("member_id", "created_at"), index.Fields("expires_at")}
}
