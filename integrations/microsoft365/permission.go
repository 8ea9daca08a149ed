package microsoft365

import "slices"

// Level is one of the two applications that Cairn registers.
type Level string

// The levels. A tenant consents to the detection application to be watched, and
// to the response application later, or never, to be acted in.
const (
	LevelDetection Level = "DETECTION" // reads only
	LevelResponse  Level = "RESPONSE"  // writes; opened by workers only
)

// The APIs that permissions are of, by their applications' ids.
const (
	APIGraph      = "00000003-0000-0000-c000-000000000000"
	APIManagement = "c5393580-f805-4401-95e8-94b7a6ef2fc2"
	APIExchange   = "00000002-0000-0ff1-ce00-000000000000"
)

// Permission is an application permission that one of the applications asks for.
type Permission struct {
	Name  string // as in a token's roles
	API   string // the application id of the API it is of
	ID    string // of the app role
	Level Level
	Why   string // what Cairn does with it, and no more
	// Optional ones are missed by one feature alone.
	Optional bool
}

// Permissions are all that the applications ask for, and why. Documentation and
// the script that registers them are tested against this table.
// Source of the ids: Microsoft's service principals in every tenant
// (GET /servicePrincipals(appId='…')?$select=appRoles).
var Permissions = []Permission{
	{"AuditLog.Read.All", APIGraph, "b0afded3-3588-46d8-8b3d-9842eff778da", LevelDetection, "read sign-ins and directory audits", false},
	{"Directory.Read.All", APIGraph, "7ab1d382-f21e-4acd-a863-ba3e13f7da61", LevelDetection, "read consent grants, and sign-ins in tenants where Microsoft still asks for it", false},
	{"User.Read.All", APIGraph, "df021288-bdef-4463-88db-98f22de89214", LevelDetection, "read accounts: kind, licences, whether enabled, synced, last password change", false},
	{"UserAuthenticationMethod.Read.All", APIGraph, "38d9df27-64da-44fd-b7c5-a6fbac20248f", LevelDetection, "read authentication methods, to see one an attacker added", false},
	{"MailboxSettings.Read", APIGraph, "40f97065-369a-49f4-947c-6a255697ae91", LevelDetection, "read inbox rules and the kind of a mailbox; no mail", false},
	{"Application.Read.All", APIGraph, "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", LevelDetection, "read applications, their credentials and permissions", false},
	{"Device.Read.All", APIGraph, "7438b122-aefc-4978-80ed-43db9fcc7715", LevelDetection, "read devices, to see one an attacker registered", false},
	{"RoleManagement.Read.Directory", APIGraph, "483bed4a-2ad3-4361-a73b-c83ccdbdc53c", LevelDetection, "read who is an administrator, the one who consents included", false},
	{"Organization.Read.All", APIGraph, "498476ce-e0fe-48b0-b801-37ba7e2685c6", LevelDetection, "read the organization, the proof of the tenant, and its subscriptions", false},
	{"Policy.Read.All", APIGraph, "246dd0d5-5bd0-4def-940b-0421030a5b68", LevelDetection, "see in sign-ins which conditional access policies applied", true},
	{"ActivityFeed.Read", APIManagement, "594c1fb6-4f81-4475-ae41-0c394909246c", LevelDetection, "read the unified audit log", false},
	{"Exchange.ManageAsApp", APIExchange, "dc50a0fb-09a3-484d-be87-e023b12c6440", LevelDetection, "read hidden inbox rules, forwarding, delegates and transport rules; it grants nothing but what the role Global Reader lets it", true},

	{"User.Read.All", APIGraph, "df021288-bdef-4463-88db-98f22de89214", LevelResponse, "read an account back after acting on it", false},
	{"User.EnableDisableAccount.All", APIGraph, "3011c876-62b7-4ada-afa2-506cbbecc68c", LevelResponse, "disable a compromised account, enable it again", false},
	{"User.RevokeSessions.All", APIGraph, "77f3a031-c388-4f99-b373-dc68676a979e", LevelResponse, "end an attacker's sessions", false},
	{"User-PasswordProfile.ReadWrite.All", APIGraph, "cc117bb9-00cf-4eb8-b580-ea2a878fe8f7", LevelResponse, "reset a stolen password", true},
	{"UserAuthenticationMethod.ReadWrite.All", APIGraph, "50483e42-d915-4231-9639-7fdb7fd190e5", LevelResponse, "remove an authentication method an attacker added", true},
	{"MailboxSettings.ReadWrite", APIGraph, "6931bccd-447a-43d1-b442-00a195474933", LevelResponse, "delete or disable an attacker's inbox rules", false},
	{"Mail.ReadWrite", APIGraph, "e2a3a72e-5f79-4c64-b1b1-878b674786c9", LevelResponse, "find and remove an attacker's messages in mailboxes", true},
	{"Application.ReadWrite.All", APIGraph, "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", LevelResponse, "disable a malicious application", true},
	{"DelegatedPermissionGrant.ReadWrite.All", APIGraph, "8e8e4742-1d95-4f68-9d56-6ee75648c72a", LevelResponse, "delete a consent an attacker obtained", false},
	{"Device.ReadWrite.All", APIGraph, "1138cb37-bd11-4084-a2b7-9f71582aeddb", LevelResponse, "disable or delete a device an attacker registered", true},
	{"Organization.Read.All", APIGraph, "498476ce-e0fe-48b0-b801-37ba7e2685c6", LevelResponse, "read the organization, the proof of the tenant", false},
	{"RoleManagement.Read.Directory", APIGraph, "483bed4a-2ad3-4361-a73b-c83ccdbdc53c", LevelResponse, "know beforehand which accounts' roles bar Cairn from acting", false},
	{"Exchange.ManageAsApp", APIExchange, "dc50a0fb-09a3-484d-be87-e023b12c6440", LevelResponse, "remove forwarding and hidden inbox rules, with the role Exchange Administrator", true},
}

// Role is a directory role that the application's service principal should hold
// in a tenant: some calls want one beside the permission.
type Role struct {
	Name, ID string
	Level    Level
	Why      string
}

// Roles are the directory roles that help, and why.
// Source: learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference.
var Roles = []Role{
	{"Global Reader", "f2ef992c-3afb-46b9-b7cf-a126ee74c451", LevelDetection, "Exchange lets the application read mailboxes and rules"},
	{"Exchange Administrator", "29232cdf-9323-42fd-ade2-1d97af3e4de7", LevelResponse, "Exchange lets the application remove rules and forwarding"},
	{"User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1", LevelResponse, "reset passwords of accounts without a higher role"},
	{"Privileged Authentication Administrator", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13", LevelResponse, "act on administrators' accounts; without it those are left to a person"},
}

// Asked returns the permissions that a level's application asks for.
func Asked(level Level) []Permission {
	return slices.DeleteFunc(slices.Clone(Permissions), func(p Permission) bool { return p.Level != level })
}

// Missing returns the permissions of a level that are not among the granted, of
// one API.
func Missing(level Level, api string, granted []string) []Permission {
	return slices.DeleteFunc(Asked(level), func(p Permission) bool {
		return p.API != api || slices.Contains(granted, p.Name)
	})
}
