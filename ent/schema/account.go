package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Account is an identity in a tenant that was seen acting or being acted on.
type Account struct{ ent.Schema }

// Annotations of the entity.
func (Account) Annotations() []schema.Annotation {
	return table("accounts", access.Rows{Read: access.AccountRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (Account) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (Account) Fields() []ent.Field {
	return []ent.Field{
		identified("account"),
		field.String("principal").NotEmpty().MaxLen(320).Immutable().
			Comment("how logs name it: lower-case user principal name, else an object id"),
		field.Enum("kind").
			NamedValues(
				"Member", "MEMBER",
				"Guest", "GUEST",
				"SharedMailbox", "SHARED_MAILBOX",
				"Room", "ROOM",
				"Equipment", "EQUIPMENT",
				"Service", "SERVICE",
			).Default("MEMBER"),
		field.Time("created_at").Immutable(),

		// What the directory says; empty where it was not asked.
		field.String("object_id").MaxLen(64).Default(""),
		field.String("display_name").Default(""),
		field.Bool("enabled").Optional().Nillable(),
		field.Bool("synced").Optional().Nillable().Comment("its master is a directory on premises"),
		field.Strings("licences").Optional().Comment("SKU ids"),
		field.Time("password_changed_at").Optional().Nillable(),
		field.Time("deleted_at").Optional().Nillable(),
		field.Time("directory_read_at").Optional().Nillable(),
	}
}

// Edges of the entity.
func (Account) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("incidents", Incident.Type),
		edge.To("findings", Finding.Type),
	}
}

// Indexes of the entity.
func (Account) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("tenant_id", "principal").Unique(),
		// In the order ids are made: cheap to keep when thousands come at once.
		index.Fields("organization_id", "id"),
		index.Fields("tenant_id", "object_id"),
	}
}
