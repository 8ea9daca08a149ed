package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Collector reads one source of a tenant: how far it has come, and what keeps it.
type Collector struct{ ent.Schema }

// Annotations of the entity.
func (Collector) Annotations() []schema.Annotation {
	return table("collectors", access.Rows{Read: access.TenantRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (Collector) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}, due{}} }

// Fields of the entity.
func (Collector) Fields() []ent.Field {
	return []ent.Field{
		identified("collector"),
		field.Enum("source").NamedValues(
			"Directory", "DIRECTORY",
			"SignIns", "SIGN_INS",
			"NonInteractiveSignIns", "NON_INTERACTIVE_SIGN_INS",
			"DirectoryAudits", "DIRECTORY_AUDITS",
			"AuditEntra", "AUDIT_ENTRA",
			"AuditExchange", "AUDIT_EXCHANGE",
			"AuditSharePoint", "AUDIT_SHAREPOINT",
			"AuditGeneral", "AUDIT_GENERAL",
		).Immutable(),
		field.Time("created_at").Immutable(),
		field.Time("read_until").Optional().Nillable().Comment("everything before has been asked for; of audit content by when it became available"),
		field.Text("place").Default("").Comment("where a list of changes goes on (delta link)"),
		field.Time("caught_up_at").Optional().Nillable().Comment("when the past had been read once"),
		field.Time("last_success_at").Optional().Nillable(),
		field.Time("last_record_at").Optional().Nillable().Comment("when the latest record happened"),
		field.Int64("records").Default(0).Comment("taken in as new"),
		field.Int64("rejected").Default(0).Comment("that could not be read"),
		field.Time("failing_since").Optional().Nillable(),
		field.String("last_error").Default(""),
		field.String("last_error_reason").Default("").Comment("microsoft365.Reason"),
		field.Time("last_error_at").Optional().Nillable(),
	}
}

// Indexes of the entity.
func (Collector) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("tenant_id", "source").Unique(),
		index.Fields("tenant_id", "urgency", "created_at", "id").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
	}
}
