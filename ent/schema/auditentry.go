package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// AuditEntry says who did what, on which tenant, from where, with which
// result. It is never changed or removed.
type AuditEntry struct{ ent.Schema }

// Annotations of the entity.
func (AuditEntry) Annotations() []schema.Annotation {
	return table("audit_entries", access.Rows{Read: access.AuditRead, Tenant: "tenant_id", TenantOptional: true, Incident: "object_id", AppendOnly: true})
}

// Mixin of the entity.
func (AuditEntry) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (AuditEntry) Fields() []ent.Field {
	return []ent.Field{
		identified("audit"),
		field.Time("at").Immutable(),
		field.String("principal_kind").GoType(access.PrincipalKind("")).Immutable(),
		field.String("principal_id").Immutable(),
		field.String("principal_name").Immutable(),
		field.Bool("principal_staff").Default(true).Immutable().Comment("one of the MSP's own, whom guests see as the organization"),
		field.String("action").Immutable(),
		field.String("tenant_id").Optional().Nillable().MaxLen(64).Immutable(),
		field.String("object_id").Immutable(),
		field.String("address").Immutable().Comment("where the call came from, empty for Cairn's own acts"),
		field.String("result").Immutable().Comment("OK, or the code of the refusal"),
		field.Text("detail").Immutable(),
	}
}

// Indexes of the entity.
func (AuditEntry) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "at", "id"), index.Fields("tenant_id", "at", "id")}
}
