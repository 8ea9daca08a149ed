package microsoft

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// exchangeError is an error of the administration endpoint, its words where the
// real one hides them.
func exchangeError(status int, text string) psa.Answer {
	return psa.Answer{Status: status, Body: object{"error": object{
		"code": "BadRequest", "message": "An error occurred.", "details": []object{{"code": "Context", "message": text}},
		"innererror": object{"message": "An error occurred.", "internalexception": object{"message": text}},
	}}}
}

// exchange answers for Exchange's administration. Path is beta/TENANT/InvokeCommand.
func (c *Cloud) exchange(w http.ResponseWriter, r *http.Request, path string) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 || parts[2] != "InvokeCommand" || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	by, ok := c.bearer(r, "https://outlook.office365.com")
	t := c.Tenant(by.Tenant)
	if !ok || t == nil || !strings.EqualFold(parts[1], by.Tenant) {
		c.count(r.Method, "InvokeCommand")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var command struct {
		CmdletInput struct {
			CmdletName string
			Parameters object
		}
	}
	raw, ok := psa.Read(w, r)
	if !ok || json.Unmarshal(raw, &command) != nil || command.CmdletInput.CmdletName == "" {
		psa.Write(w, exchangeError(http.StatusBadRequest, "The command is malformed."))
		return
	}
	name := "InvokeCommand/" + command.CmdletInput.CmdletName
	c.count(r.Method, name)
	refuse := func(status int) any { return exchangeError(status, "The server is too busy.").Body }
	t.Faults.Serve(w, r, name, refuse, func() psa.Answer {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := c.clock.Now()
		t.settle(now)
		query := r.URL.Query()
		return t.cmdlet(call{
			tenant: t, by: by, path: "adminapi/" + path, query: query, header: r.Header, body: command.CmdletInput.Parameters, now: now,
		}, command.CmdletInput.CmdletName).Fixed()
	})
}

func (t *Tenant) cmdlet(c call, name string) psa.Answer {
	if !c.by.may("Exchange.ManageAsApp") {
		return psa.Answer{Status: http.StatusForbidden, Body: object{"error": object{"code": "Forbidden", "message": "The role assigned to application isn't supported in this scenario."}}}
	}
	if c.header.Get("X-Anchormailbox") == "" {
		return exchangeError(http.StatusBadRequest, "The anchor mailbox is missing.")
	}
	writes := !strings.HasPrefix(name, "Get-")
	if writes && !c.by.may(writeSettings, "Exchange.ManageAsApp") {
		return exchangeError(http.StatusForbidden, "The operation is not allowed.")
	}
	switch name {
	case "Get-AdminAuditLogConfig":
		return t.answer(c, []object{{"UnifiedAuditLogIngestionEnabled": t.auditOn, "AdminAuditLogEnabled": true}})
	case "Get-Mailbox":
		return t.getMailbox(c)
	case "Set-Mailbox":
		return t.setMailbox(c)
	case "Get-InboxRule":
		return t.getInboxRule(c)
	case "Remove-InboxRule", "Disable-InboxRule", "Enable-InboxRule":
		return t.changeInboxRule(c, name)
	case "Get-TransportRule":
		return t.answer(c, t.passing)
	case "Get-MailboxPermission":
		u := t.find(text(c.body["Identity"]))
		if u == nil {
			return mailboxMissing(c)
		}
		all := append([]object{{"User": `NT AUTHORITY\SELF`, "AccessRights": []string{"FullAccess", "ReadPermission"}, "IsInherited": false, "Deny": false}},
			t.delegate[text(u["id"])]...)
		return t.answer(c, all)
	default:
		return exchangeError(http.StatusBadRequest, "The term '"+name+"' is not recognized as the name of a cmdlet.")
	}
}

// answer writes a page of a cmdlet's output; the next is asked for by the same
// command at another address.
func (t *Tenant) answer(c call, all []object) psa.Answer {
	listed := t.list(c, all, 1000)
	body, ok := listed.Body.(object)
	if !ok || listed.Status != http.StatusOK {
		return listed
	}
	body["@odata.context"] = t.cloud.address + "/adminapi/beta/" + t.ID + "/$metadata#Collection(Exchange.GenericHashTable)"
	body["adminapi.warnings@odata.type"], body["@adminapi.warnings"] = "#Collection(String)", []string{}
	if next, ok := body["@odata.nextLink"].(string); ok {
		body["@odata.nextLink"] = strings.Replace(next, "/v1.0/adminapi/", "/adminapi/", 1)
	}
	return listed
}

func mailboxMissing(c call) psa.Answer {
	return exchangeError(http.StatusNotFound, "Ex6F9304|The operation couldn't be performed because object '"+text(c.body["Identity"])+"' couldn't be found.")
}

func (t *Tenant) getMailbox(c call) psa.Answer {
	var all []object
	only := object(nil)
	if identity, ok := c.body["Identity"]; ok {
		if only = t.find(text(identity)); only == nil || t.kinds[text(only["id"])] == "" {
			return mailboxMissing(c)
		}
	}
	for _, u := range t.sorted() {
		id := text(u["id"])
		if t.kinds[id] == "" || only != nil && only["id"] != u["id"] {
			continue
		}
		f := t.forwards[id]
		box := object{
			"ExternalDirectoryObjectId": id, "ExchangeGuid": t.guid("mailbox", id), "UserPrincipalName": u["userPrincipalName"],
			"RecipientTypeDetails": t.kinds[id], "ForwardingAddress": nil, "ForwardingSmtpAddress": nil, "DeliverToMailboxAndForward": f.keeps,
		}
		if f.address != "" {
			box["ForwardingAddress"] = f.address
		}
		if f.smtp != "" {
			box["ForwardingSmtpAddress"] = f.smtp
		}
		all = append(all, box)
	}
	return t.answer(c, all)
}

func (t *Tenant) setMailbox(c call) psa.Answer {
	u := t.find(text(c.body["Identity"]))
	if u == nil {
		return mailboxMissing(c)
	}
	id := text(u["id"])
	changed := t.forwards[id]
	if v, ok := c.body["ForwardingSmtpAddress"]; ok {
		changed.smtp, _ = v.(string)
	}
	if v, ok := c.body["ForwardingAddress"]; ok {
		changed.address, _ = v.(string)
	}
	if v, ok := c.body["DeliverToMailboxAndForward"].(bool); ok {
		changed.keeps = v
	}
	t.change(func() { t.forwards[id] = changed })
	t.write(c.by.App, "Exchange", "Set-Mailbox", u, object{"Name": "Identity", "Value": id}, object{"Name": "ForwardingSmtpAddress", "Value": changed.smtp})
	return psa.Answer{Status: http.StatusOK, Body: object{"value": []object{}}}
}

// identity is a rule's name among all rules of the tenant.
func (r *rule) identity(owner string) string { return owner + `\` + r.id }

func (t *Tenant) getInboxRule(c call) psa.Answer {
	u := t.find(text(c.body["Mailbox"]))
	if u == nil || t.kinds[text(u["id"])] == "" {
		return mailboxMissing(c)
	}
	id := text(u["id"])
	hidden := c.body["IncludeHidden"] == true
	var all []object
	if hidden {
		all = append(all, object{"Identity": id + `\0`, "Name": "Junk E-mail Rule", "Enabled": true})
	}
	for _, r := range t.rules[id] {
		if r.hidden && !hidden {
			continue
		}
		all = append(all, object{
			"Identity": r.identity(id), "RuleIdentity": r.id, "Name": r.name, "Enabled": r.enabled, "ForwardTo": r.sendsTo, "MoveToFolder": r.movesTo,
			"DeleteMessage": r.deletes, "MarkAsRead": r.marksRead, "StopProcessingRules": r.stops, "SubjectOrBodyContainsWords": r.words,
		})
	}
	return t.answer(c, all)
}

func (t *Tenant) changeInboxRule(c call, name string) psa.Answer {
	if _, both := c.body["Mailbox"]; both && c.body["Identity"] != nil {
		return exchangeError(http.StatusBadRequest, "The Mailbox parameter cannot be combined with the Identity parameter.")
	}
	owner, id, _ := strings.Cut(text(c.body["Identity"]), `\`)
	i := t.ruleAt(owner, id, true)
	if i < 0 {
		return exchangeError(http.StatusNotFound, "The rule '"+id+"' couldn't be found.")
	}
	r := t.rules[owner][i]
	switch name {
	case "Remove-InboxRule":
		t.dropRule(c.by.App, owner, r)
	case "Disable-InboxRule":
		t.setRule(c.by.App, owner, r, false)
	default:
		t.setRule(c.by.App, owner, r, true)
	}
	return psa.Answer{Status: http.StatusNoContent}
}

// AddDelegate gives somebody full access to a mailbox.
func (t *Tenant) AddDelegate(account, delegate string) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			id := text(u["id"])
			t.delegate[id] = append(t.delegate[id], object{"User": delegate, "AccessRights": []string{"FullAccess"}, "IsInherited": false, "Deny": false})
		}
	})
}

// AddTransportRule gives the tenant a rule for all its mail.
func (t *Tenant) AddTransportRule(name, blindCopyTo string) {
	t.locked(func() {
		t.passing = append(slices.Clone(t.passing), object{
			"Guid": t.guid("transport rule", name), "Name": name, "State": "Enabled", "Description": "Blind carbon copy", "BlindCopyTo": []string{blindCopyTo},
			"RedirectMessageTo": nil, "DeleteMessage": false,
		})
	})
}
