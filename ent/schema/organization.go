package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Organization is an MSP. It owns everything else.
type Organization struct{ ent.Schema }

// Annotations of the entity.
func (Organization) Annotations() []schema.Annotation {
	return table("organizations", access.Rows{Read: access.OrganizationRead, Organization: "id"})
}

// Fields of the entity.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		identified("organization"),
		field.String("name").NotEmpty().MaxRuneLen(200),
		field.Int("incident_count").Default(0).Comment("the number of the newest incident"),
		field.Time("created_at").Immutable(),
	}
}
