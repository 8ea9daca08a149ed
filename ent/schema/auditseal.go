package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// AuditSeal chains an audit entry to the one sealed before it, so that none
// can be changed or taken out unnoticed.
type AuditSeal struct{ ent.Schema }

// Annotations of the entity.
func (AuditSeal) Annotations() []schema.Annotation {
	return table("audit_seals", access.Rows{Internal: true, AppendOnly: true})
}

// Mixin of the entity.
func (AuditSeal) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (AuditSeal) Fields() []ent.Field {
	return []ent.Field{
		identified("seal"),
		field.Int64("sequence").Positive().Immutable().Comment("1, 2, 3 … within the organization"),
		field.String("entry_id").MaxLen(64).Immutable(),
		field.Bytes("hash").Immutable().Comment("SHA-256 over the hash before it and the entry"),
	}
}

// Indexes of the entity.
func (AuditSeal) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "sequence").Unique(), index.Fields("entry_id").Unique()}
}
