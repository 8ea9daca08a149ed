package microsoft

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const (
	readDirectory  = "Directory.Read.All"
	writeMethods   = "UserAuthenticationMethod.ReadWrite.All"
	writeDevices   = "Device.ReadWrite.All"
	writeApps      = "Application.ReadWrite.All"
	readRoles      = "RoleManagement.Read.Directory"
	writeGrants    = "DelegatedPermissionGrant.ReadWrite.All"
	writeSettings  = "MailboxSettings.ReadWrite"
	readUsers      = "User.Read.All"
	writeMail      = "Mail.ReadWrite"
	auditLog       = "AuditLog.Read.All"
	readMethods    = "UserAuthenticationMethod.Read.All"
	readSettings   = "MailboxSettings.Read"
	readOrg        = "Organization.Read.All"
	revokeSessions = "User.RevokeSessions.All"
)

// routes are what this cloud knows of Graph.
var routes []route

func init() { //nolint:gochecknoinits // the table names functions that read it
	get, post, patch, del := http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	routes = []route{
		{get, "auditLogs/signIns", []string{auditLog}, (*Tenant).listSignIns},
		{get, "auditLogs/directoryAudits", []string{auditLog}, (*Tenant).listAudits},
		{get, "organization", []string{readOrg, readDirectory}, (*Tenant).organization},
		{get, "subscribedSkus", []string{readOrg, readDirectory, "LicenseAssignment.Read.All"}, (*Tenant).subscribedSkus},
		{get, "users", []string{readUsers, readDirectory}, (*Tenant).listUsers},
		{get, "users/delta", []string{readUsers, readDirectory}, (*Tenant).deltaUsers},
		{get, "users/*", []string{readUsers, readDirectory}, (*Tenant).getUser},
		{patch, "users/*", []string{"User.EnableDisableAccount.All", "User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All"}, (*Tenant).patchUser},
		{post, "users/*/revokeSignInSessions", []string{revokeSessions, "User.ReadWrite.All"}, (*Tenant).revoke},
		{get, "users/*/registeredDevices", []string{"Device.Read.All", writeDevices, readDirectory}, (*Tenant).userDevices},
		{get, "users/*/oauth2PermissionGrants", []string{readDirectory, writeGrants}, (*Tenant).userGrants},
		{get, "users/*/authentication/methods", []string{readMethods, writeMethods}, (*Tenant).listMethods},
		{del, "users/*/authentication/*/*", []string{writeMethods}, (*Tenant).deleteMethod},
		{get, "users/*/mailboxSettings/userPurpose", []string{readSettings, writeSettings}, (*Tenant).userPurpose},
		{get, "users/*/mailFolders/inbox/messageRules", []string{readSettings, writeSettings}, (*Tenant).listRules},
		{patch, "users/*/mailFolders/inbox/messageRules/*", []string{writeSettings}, (*Tenant).patchRule},
		{del, "users/*/mailFolders/inbox/messageRules/*", []string{writeSettings}, (*Tenant).deleteRule},
		{get, "users/*/messages", []string{"Mail.Read", writeMail}, (*Tenant).listMessages},
		{post, "users/*/messages/*/move", []string{writeMail}, (*Tenant).moveMessage},
		{post, "users/*/messages/*/permanentDelete", []string{writeMail}, (*Tenant).purgeMessage},
		{get, "devices", []string{"Device.Read.All", writeDevices, readDirectory}, (*Tenant).listDevices},
		{patch, "devices/*", []string{writeDevices}, (*Tenant).patchDevice},
		{del, "devices/*", []string{writeDevices}, (*Tenant).deleteDevice},
		{get, "oauth2PermissionGrants", []string{readDirectory, writeGrants}, (*Tenant).listGrants},
		{del, "oauth2PermissionGrants/*", []string{writeGrants}, (*Tenant).deleteGrant},
		{get, "servicePrincipals", []string{"Application.Read.All", writeApps, readDirectory}, (*Tenant).listApps},
		{get, "servicePrincipals/*", []string{"Application.Read.All", writeApps, readDirectory}, (*Tenant).getApp},
		{patch, "servicePrincipals/*", []string{writeApps}, (*Tenant).patchApp},
		{get, "servicePrincipals/*/appRoleAssignments", []string{"Application.Read.All", writeApps, readDirectory}, (*Tenant).appRoles},
		{get, "roleManagement/directory/roleAssignments", []string{readRoles, readDirectory}, (*Tenant).listRoles},
		{get, "roleManagement/directory/roleDefinitions", []string{readRoles, readDirectory}, (*Tenant).roleDefinitions},
	}
}

func (t *Tenant) organization(c call, _ []string) psa.Answer {
	synced := slices.ContainsFunc(t.sorted(), func(u object) bool { return u["onPremisesSyncEnabled"] == true })
	return t.list(c, []object{{
		"id": t.ID, "displayName": t.world.Name, "countryLetterCode": "US", "createdDateTime": stamp(c.now.AddDate(-3, 0, 0)),
		"onPremisesSyncEnabled": synced, "tenantType": "AAD",
		"verifiedDomains": []object{
			{"name": t.world.Domain, "isDefault": true, "isInitial": false, "capabilities": "Email", "type": "Managed"},
			{"name": t.world.OnMicrosoftName, "isDefault": false, "isInitial": true, "capabilities": "Email", "type": "Managed"},
		},
	}}, 100)
}

func (t *Tenant) subscribedSkus(_ call, _ []string) psa.Answer {
	sku := object{
		"id": t.ID + "_" + skuBasic, "skuId": skuBasic, "skuPartNumber": "O365_BUSINESS_ESSENTIALS", "appliesTo": "User", "capabilityStatus": "Enabled",
		"consumedUnits": len(t.users), "prepaidUnits": object{"enabled": len(t.users), "suspended": 0, "warning": 0},
		"servicePlans": []object{{
			"servicePlanId": "9aaf7827-d63c-4b61-89c3-182f06f82e5c", "servicePlanName": "EXCHANGE_S_STANDARD", "provisioningStatus": "Success", "appliesTo": "User",
		}},
	}
	if t.premium {
		sku["id"], sku["skuId"], sku["skuPartNumber"] = t.ID+"_"+skuPremium, skuPremium, "SPB"
		plans := sku["servicePlans"].([]object) //nolint:forcetypeassert // set above
		sku["servicePlans"] = append(plans, object{
			"servicePlanId": "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success", "appliesTo": "User",
		})
	}
	return psa.Answer{Status: http.StatusOK, Body: object{"value": []object{sku}}}
}

func (t *Tenant) listDevices(c call, _ []string) psa.Answer { return t.list(c, t.devices, 100) }

func (t *Tenant) userDevices(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	var own []object
	for _, d := range t.devices {
		if t.owners[text(d["id"])] == u["id"] {
			shown := object{"@odata.type": "#microsoft.graph.device"}
			maps.Copy(shown, d)
			own = append(own, shown)
		}
	}
	return t.list(c, own, 100)
}

func index(all []object, id string) int {
	return slices.IndexFunc(all, func(o object) bool { return o["id"] == id })
}

func (t *Tenant) patchDevice(c call, parts []string) psa.Answer {
	i := index(t.devices, parts[0])
	if i < 0 {
		return notFound()
	}
	device := t.devices[i]
	enabled, ok := c.body["accountEnabled"].(bool)
	if !ok || device["operatingSystem"] != "Windows" {
		return badRequest("Only extension attributes of this device may be changed by an application.")
	}
	t.change(func() { device["accountEnabled"] = enabled })
	t.write(c.by.App, "AzureActiveDirectory", "Update device.", device)
	return psa.Answer{Status: http.StatusNoContent}
}

// remove takes an object out of a list, later where the tenant lags.
func (t *Tenant) remove(from *[]object, id string) {
	t.change(func() {
		*from = slices.DeleteFunc(*from, func(o object) bool { return o["id"] == id })
	})
}

func (t *Tenant) deleteDevice(c call, parts []string) psa.Answer {
	i := index(t.devices, parts[0])
	if i < 0 {
		return notFound()
	}
	t.write(c.by.App, "AzureActiveDirectory", "Delete device.", t.devices[i])
	t.remove(&t.devices, parts[0])
	return psa.Answer{Status: http.StatusNoContent}
}

func (t *Tenant) listGrants(c call, _ []string) psa.Answer { return t.list(c, t.grants, 100) }

func (t *Tenant) userGrants(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	var own []object
	for _, g := range t.grants {
		if g["principalId"] == u["id"] {
			own = append(own, g)
		}
	}
	return t.list(c, own, 100)
}

func (t *Tenant) deleteGrant(c call, parts []string) psa.Answer {
	if index(t.grants, parts[0]) < 0 {
		return notFound()
	}
	t.write(c.by.App, "AzureActiveDirectory", "Remove delegated permission grant.", object{"id": parts[0]})
	t.remove(&t.grants, parts[0])
	return psa.Answer{Status: http.StatusNoContent}
}

func (t *Tenant) listApps(c call, _ []string) psa.Answer { return t.list(c, t.apps, 999) }

func (t *Tenant) getApp(_ call, parts []string) psa.Answer {
	i := index(t.apps, parts[0])
	if i < 0 {
		return notFound()
	}
	return psa.Answer{Status: http.StatusOK, Body: t.apps[i]}
}

func (t *Tenant) patchApp(c call, parts []string) psa.Answer {
	i := index(t.apps, parts[0])
	enabled, ok := c.body["accountEnabled"].(bool)
	switch {
	case i < 0:
		return notFound()
	case !ok:
		return badRequest("Nothing to change.")
	}
	app := t.apps[i]
	t.change(func() { app["accountEnabled"] = enabled })
	t.write(c.by.App, "AzureActiveDirectory", "Update service principal.", app)
	return psa.Answer{Status: http.StatusNoContent}
}

func (t *Tenant) appRoles(c call, parts []string) psa.Answer {
	if index(t.apps, parts[0]) < 0 {
		return notFound()
	}
	return t.list(c, nil, 100)
}

func (t *Tenant) listRoles(c call, _ []string) psa.Answer {
	all := t.roles
	if filter := c.query.Get("$filter"); filter != "" {
		id, ok := strings.CutPrefix(filter, "principalId eq '")
		if !ok {
			return badRequest("The filter is not supported.")
		}
		all = nil
		for _, a := range t.roles {
			if a["principalId"] == strings.TrimSuffix(id, "'") {
				all = append(all, a)
			}
		}
	}
	return t.list(c, all, 100)
}

func (t *Tenant) roleDefinitions(c call, _ []string) psa.Answer {
	return t.list(c, []object{
		{"id": globalAdministrator, "templateId": globalAdministrator, "displayName": "Global Administrator", "isBuiltIn": true, "isEnabled": true},
		{
			"id": "f2ef992c-3afb-46b9-b7cf-a126ee74c451", "templateId": "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
			"displayName": "Global Reader", "isBuiltIn": true, "isEnabled": true,
		},
	}, 100)
}

func (t *Tenant) listMethods(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	return t.list(c, t.methods[text(u["id"])], 100)
}

func (t *Tenant) deleteMethod(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	id := text(u["id"])
	own := t.methods[id]
	i := index(own, parts[2])
	if i < 0 || "#microsoft.graph."+strings.TrimSuffix(parts[1], "Methods")+"AuthenticationMethod" != own[i]["@odata.type"] {
		return graphError(http.StatusNotFound, "resourceNotFound", "The authentication method is not there.")
	}
	// The first method besides the password is the default; it goes last.
	if i == 1 && len(own) > 2 {
		return badRequest("The default authentication method cannot be deleted while there are others.")
	}
	t.change(func() {
		t.methods[id] = slices.DeleteFunc(t.methods[id], func(o object) bool { return o["id"] == parts[2] })
	})
	t.write(c.by.App, "AzureActiveDirectory", "User deleted security info.", u)
	return psa.Answer{Status: http.StatusNoContent}
}

// AddMethod gives an account an authentication method of a kind ("phone",
// "fido2", …), and returns its id.
func (t *Tenant) AddMethod(account, kind, name string) string {
	id := t.guid("method", account, kind, name)
	t.locked(func() {
		if u := t.find(account); u != nil {
			owner := text(u["id"])
			t.methods[owner] = append(t.methods[owner], object{
				"@odata.type": "#microsoft.graph." + kind + "AuthenticationMethod", "id": id, "displayName": name, "createdDateTime": stamp(t.cloud.clock.Now()),
			})
		}
	})
	return id
}
