package access

// Rows says how the rows of a table hang on organization, tenant and incident.
// It stands once: as an annotation of the ent schema, or beside the code that
// owns a table outside ent. Whatever reads or changes these rows puts the
// condition that WriteCondition writes into its statement.
type Rows struct {
	// Read is the permission by which rows are seen, and thereby changed.
	Read Permission `json:"read,omitempty"`
	// Organization is the column of the organization; organization_id where empty.
	Organization string `json:"organization,omitempty"`
	// Tenant is the column of the tenant; empty where rows belong to none.
	Tenant string `json:"tenant,omitempty"`
	// TenantOptional says that the tenant may be null: such rows are for those
	// who see the organization as a whole.
	TenantOptional bool `json:"tenantOptional,omitempty"`
	// Published is the column that says of an incident whether it is published.
	Published string `json:"published,omitempty"`
	// Incident is a column that may hold an incident's id: where that incident
	// is hidden for not being published, so is the row.
	Incident string `json:"incident,omitempty"`
	// Staff is the column that says of a row that it is for the MSP's own people.
	Staff string `json:"staff,omitempty"`
	// Principal is the column of the principal whom the row belongs to: it alone
	// reaches it. Read is not asked for then.
	Principal string `json:"principal,omitempty"`
	// Internal rows are for Cairn itself.
	Internal bool `json:"internal,omitempty"`
	// AppendOnly rows are never changed or removed.
	AppendOnly bool `json:"appendOnly,omitempty"`
}

// Name of the annotation, for ent.
func (Rows) Name() string { return "Rows" }

// SQL takes a condition piece by piece. Ent's builder is one; so is whatever
// gathers a hand-written statement with its arguments.
type SQL interface {
	Write(text string)
	Bind(value any)
}

// The tables that conditions look into. Their columns are those of the schema;
// a test holds them against it.
const (
	tenantsTable     = "tenants"
	assignmentsTable = "assignments"
	incidentsTable   = "incidents"
)

// WriteCondition writes which of the rows the scope reaches, as a condition
// that is never empty. column qualifies a column's name.
func (r Rows) WriteCondition(s Scope, column func(string) string, to SQL) {
	organization := r.Organization
	if organization == "" {
		organization = "organization_id"
	}
	if s.everyOrganization {
		to.Write("1 = 1")
		return
	}
	to.Write(column(organization) + " = ")
	to.Bind(s.OrganizationID)
	if s.System() {
		return
	}
	if r.Internal {
		to.Write(" AND 1 = 0")
		return
	}
	if r.Principal != "" {
		to.Write(" AND " + column(r.Principal) + " = ")
		to.Bind(s.Principal.ID)
		return
	}
	reach := embedded().reach(s.Principal, r.Read)
	if !reach.allowed {
		to.Write(" AND 1 = 0")
		return
	}
	r.writeTenant(s, reach, column, to)
	if !reach.unpublished {
		r.writePublished(s, column, to)
	}
	if r.Staff != "" && !s.Principal.Role.Staff() {
		to.Write(" AND NOT " + column(r.Staff))
	}
}

func (r Rows) writeTenant(s Scope, reach reach, column func(string) string, to SQL) {
	if r.Tenant == "" {
		return
	}
	if !reach.assigned && reach.sensitive && reach.paused {
		return // every tenant there is
	}
	to.Write(" AND (")
	if r.TenantOptional && reach.organization {
		to.Write(column(r.Tenant) + " IS NULL OR ")
	}
	if reach.assigned {
		to.Write(column(r.Tenant) + " IN (SELECT a.tenant_id FROM " + assignmentsTable + " a JOIN " + tenantsTable + " t ON t.id = a.tenant_id WHERE a.holder_id = ")
		to.Bind(s.Principal.ID)
		to.Write(" AND t.organization_id = ")
		to.Bind(s.OrganizationID)
		if !reach.sensitive {
			to.Write(" AND NOT t.sensitive")
		}
		if !reach.paused {
			to.Write(" AND t.lifecycle NOT IN ('PAUSED', 'REMOVED')")
		}
		to.Write("))")
		return
	}
	// All but a few: the few have indexes of their own (ent/schema/tenant.go).
	and := ""
	for _, but := range []struct {
		hidden bool
		which  string
	}{{!reach.sensitive, "t.sensitive"}, {!reach.paused, "t.lifecycle IN ('PAUSED', 'REMOVED')"}} {
		if but.hidden {
			to.Write(and + column(r.Tenant) + " NOT IN (SELECT t.id FROM " + tenantsTable + " t WHERE t.organization_id = ")
			to.Bind(s.OrganizationID)
			to.Write(" AND " + but.which + ")")
			and = " AND "
		}
	}
	to.Write(")")
}

func (r Rows) writePublished(s Scope, column func(string) string, to SQL) {
	if r.Published != "" {
		to.Write(" AND " + column(r.Published))
	}
	if r.Incident != "" {
		to.Write(" AND NOT EXISTS (SELECT 1 FROM " + incidentsTable + " i WHERE i.id = " + column(r.Incident) +
			" AND i.organization_id = ")
		to.Bind(s.OrganizationID)
		to.Write(" AND NOT i.published)")
	}
}
