package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// FailedAttack counts one source's blocked attempts against one account on one day.
type FailedAttack struct{ ent.Schema }

// Annotations of the entity.
func (FailedAttack) Annotations() []schema.Annotation {
	return table("failed_attacks", access.Rows{Read: access.FailedAttackRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (FailedAttack) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (FailedAttack) Fields() []ent.Field {
	return []ent.Field{
		identified("failedattack"),
		field.String("book").NotEmpty().Immutable().Comment("the detection book it was judged from"),
		field.Time("day").Immutable(),
		field.String("tactic").GoType(detect.Tactic("")).Immutable(),
		field.String("source").Immutable().Comment("network prefix"),
		field.String("country").Immutable(),
		field.Uint32("network_number").Immutable(),
		field.String("network_owner").Immutable(),
		field.String("network_kind").GoType(activity.NetworkKind("")).Immutable(),
		field.String("user_agent").Immutable(),
		field.String("account_id").MaxLen(64).Immutable(),
		field.Int("attempts").Immutable(),
		field.Bool("password_known").Immutable(),
		field.Time("first_at").Immutable(),
		field.Time("last_at").Immutable(),
	}
}

// Indexes of the entity.
func (FailedAttack) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("tenant_id", "book", "day", "tactic", "account_id").Unique(),
		index.Fields("organization_id", "day"),
	}
}
