package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/cairn-itdr/cairn/internal/access"
)

// APIKey lets a program in. The key itself is shown once and stored nowhere.
type APIKey struct{ ent.Schema }

// Annotations of the entity.
func (APIKey) Annotations() []schema.Annotation { return table("api_keys") }

// Mixin of the entity.
func (APIKey) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (APIKey) Fields() []ent.Field {
	return []ent.Field{
		identified("apikey"),
		field.String("name").MaxRuneLen(200),
		field.String("role").GoType(access.Role("")),
		field.Bytes("hash").Sensitive().Unique().Immutable().Comment("SHA-256 of the key, which has 256 random bits"),
		field.Time("created_at").Immutable(),
		field.Time("revoked_at").Optional().Nillable(),
	}
}
