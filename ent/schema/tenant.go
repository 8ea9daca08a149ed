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

// Tenant is one client's Microsoft 365 directory.
type Tenant struct{ ent.Schema }

// Annotations of the entity.
func (Tenant) Annotations() []schema.Annotation {
	return table("tenants", access.Rows{Read: access.TenantRead, Tenant: "id"})
}

// Mixin of the entity.
func (Tenant) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (Tenant) Fields() []ent.Field {
	return []ent.Field{
		identified("tenant"),
		field.String("name").NotEmpty().MaxRuneLen(200),
		field.String("name_key").NotEmpty().MaxRuneLen(200).Comment("the name as it is compared: lower case"),
		field.String("microsoft_tenant_id").Optional().Nillable().MaxLen(36).Comment("lower-case GUID of the directory"),
		field.Enum("lifecycle").
			NamedValues(
				"NotProtected", "NOT_PROTECTED",
				"Onboarding", "ONBOARDING",
				"Baselining", "BASELINING",
				"Monitoring", "MONITORING",
				"Paused", "PAUSED",
				"Removed", "REMOVED",
			).Default("NOT_PROTECTED"),
		field.Bool("sensitive").Default(false),
		field.Time("created_at").Immutable(),
	}
}

// Edges of the entity.
func (Tenant) Edges() []ent.Edge {
	return []ent.Edge{edge.From("companyMappings", CompanyMapping.Type).Ref("tenant")}
}

// Indexes of the entity.
func (Tenant) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "name_key").Unique(),
		// A directory belongs to one tenant of an organization. Across
		// organizations only consent, proven with Microsoft, can be exclusive.
		index.Fields("organization_id", "microsoft_tenant_id").Unique(),
		// What most people do not see, looked up with every list (access.Rows).
		index.Fields("organization_id").Annotations(entsql.IndexWhere("sensitive")).StorageKey("tenants_sensitive"),
		index.Fields("organization_id", "lifecycle"),
	}
}
