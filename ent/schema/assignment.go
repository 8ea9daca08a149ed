package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Assignment gives a tenant to a member, an invitation or a key.
type Assignment struct{ ent.Schema }

// Annotations of the entity.
func (Assignment) Annotations() []schema.Annotation {
	return table("assignments", access.Rows{Read: access.MemberRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (Assignment) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (Assignment) Fields() []ent.Field {
	return []ent.Field{
		identified("assignment"),
		field.String("holder_id").NotEmpty().MaxLen(64).Immutable().Comment("member_…, invitation_… or apikey_…"),
	}
}

// Indexes of the entity.
func (Assignment) Indexes() []ent.Index {
	return []ent.Index{index.Fields("holder_id", "tenant_id").Unique(), index.Fields("tenant_id")}
}
