package access

import "slices"

// Permission is a kind of thing a principal may be allowed to do. The API
// shows them all, with what each is for (schema.graphqls).
type Permission string

// The permissions.
const (
	SignedIn            Permission = "SIGNED_IN"
	OrganizationRead    Permission = "ORGANIZATION_READ"
	TenantRead          Permission = "TENANT_READ"
	TenantCreate        Permission = "TENANT_CREATE"
	TenantUpdate        Permission = "TENANT_UPDATE"
	TenantMarkSensitive Permission = "TENANT_MARK_SENSITIVE"
	AccountRead         Permission = "ACCOUNT_READ"
	IncidentRead        Permission = "INCIDENT_READ"
	IncidentWrite       Permission = "INCIDENT_WRITE"
	IncidentPublish     Permission = "INCIDENT_PUBLISH"
	ActivityRead        Permission = "ACTIVITY_READ"
	FailedAttackRead    Permission = "FAILED_ATTACK_READ"
	TicketRead          Permission = "TICKET_READ"
	TicketWrite         Permission = "TICKET_WRITE"
	PSARead             Permission = "PSA_READ"
	PSAWrite            Permission = "PSA_WRITE"
	MemberRead          Permission = "MEMBER_READ"
	MemberWrite         Permission = "MEMBER_WRITE"
	APIKeyRead          Permission = "API_KEY_READ"
	APIKeyWrite         Permission = "API_KEY_WRITE"
	AuditRead           Permission = "AUDIT_READ"
)

// readings are the permissions that change nothing; a read-only key keeps
// these alone, whatever its role.
var readings = []Permission{
	SignedIn, OrganizationRead, TenantRead, AccountRead, IncidentRead, ActivityRead, FailedAttackRead,
	TicketRead, PSARead, MemberRead, APIKeyRead, AuditRead,
}

var writings = []Permission{
	TenantCreate, TenantUpdate, TenantMarkSensitive, IncidentWrite, IncidentPublish, TicketWrite, PSAWrite, MemberWrite, APIKeyWrite,
}

// Permissions are all permissions, readings first.
func Permissions() []Permission { return slices.Concat(readings, writings) }

// Writes says whether the permission changes anything.
func (p Permission) Writes() bool { return !slices.Contains(readings, p) }

// aboutOrganization says that the permission concerns the organization as a
// whole: a key that was made for some tenants does not have it.
func (p Permission) aboutOrganization() bool {
	return slices.Contains([]Permission{PSARead, PSAWrite, MemberRead, MemberWrite, APIKeyRead, APIKeyWrite, TenantCreate}, p)
}
