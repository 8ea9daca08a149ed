package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// IdempotencyKey says what a principal's mutation did, so that sending it again
// does not do it again.
type IdempotencyKey struct{ ent.Schema }

// Annotations of the entity.
func (IdempotencyKey) Annotations() []schema.Annotation {
	return table("idempotency_keys", access.Rows{Principal: "principal_id"})
}

// Mixin of the entity.
func (IdempotencyKey) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		identified("idempotencykey"),
		field.String("principal_id").MaxLen(200).Immutable(),
		field.String("mutation").MaxLen(100).Immutable().Comment("as the API names it"),
		field.String("key").MaxLen(800).Immutable().Comment("chosen by the caller"),
		field.Bytes("input_hash").Immutable().Comment("SHA-256 of the input as JSON"),
		field.Text("result").Default("").Comment("JSON: ids of what was made or changed, never a secret"),
		field.Time("created_at").Immutable(),
	}
}

// Indexes of the entity.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "principal_id", "mutation", "key").Unique(),
		index.Fields("organization_id", "created_at"),
	}
}
