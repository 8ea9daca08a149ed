package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// APIKey lets a program in. The key itself is shown once and stored nowhere.
type APIKey struct{ ent.Schema }

// Annotations of the entity.
func (APIKey) Annotations() []schema.Annotation {
	return table("api_keys", access.Rows{Read: access.APIKeyRead})
}

// Mixin of the entity.
func (APIKey) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}, granted{}} }

// Fields of the entity.
func (APIKey) Fields() []ent.Field {
	return []ent.Field{
		identified("apikey"),
		field.String("name").MaxRuneLen(200),
		field.Bytes("hash").Sensitive().Unique().Immutable().Comment("SHA-256 of the key, which has 256 random bits"),
		field.Time("created_at").Immutable(),
		field.Time("revoked_at").Optional().Nillable(),
		field.Time("expires_at").Optional().Nillable(),
		field.Time("last_used_at").Optional().Nillable().Comment("to the minute or so"),
		field.Bool("assigned_only").Default(false).Comment("made for the tenants assigned to it, whatever its role"),
		field.String("created_by_id").Optional().Nillable().MaxLen(64).Immutable().
			Comment("the member without whom it stops; empty for keys made at the command line"),
	}
}

// Indexes of the entity.
func (APIKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "created_at", "id")}
}
