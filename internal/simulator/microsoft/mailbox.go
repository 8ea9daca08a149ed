package microsoft

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// mailbox returns the account's object id, or the answer where it has no mailbox.
func (t *Tenant) mailbox(account string) (string, *psa.Answer) {
	u := t.find(account)
	if u == nil {
		answer := graphError(http.StatusNotFound, "ErrorInvalidUser", "The requested user is invalid.")
		return "", &answer
	}
	id := text(u["id"])
	if t.kinds[id] == "" {
		answer := graphError(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
		return "", &answer
	}
	if t.refusing[id] {
		answer := graphError(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		return "", &answer
	}
	return id, nil
}

// RefuseMailbox has Exchange refuse one mailbox, whatever was consented to.
func (t *Tenant) RefuseMailbox(account string, refuse bool) {
	t.locked(func() {
		if u := t.find(account); u != nil {
			t.refusing[text(u["id"])] = refuse
		}
	})
}

func (t *Tenant) userPurpose(_ call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	purpose := map[string]string{"UserMailbox": "user", "SharedMailbox": "shared", "RoomMailbox": "room", "EquipmentMailbox": "equipment"}[t.kinds[id]]
	return psa.Answer{Status: http.StatusOK, Body: object{"@odata.context": t.cloud.address + "/v1.0/$metadata#Edm.String", "value": purpose}}
}

func recipients(addresses []string) []object {
	all := []object{}
	for _, a := range addresses {
		a = strings.TrimPrefix(a, "smtp:")
		all = append(all, object{"emailAddress": object{"name": a, "address": a}})
	}
	return all
}

// graph shows a rule as Graph does.
func (r *rule) graph(sequence int) object {
	actions := object{"stopProcessingRules": r.stops, "markAsRead": r.marksRead, "delete": r.deletes}
	if len(r.sendsTo) > 0 {
		actions["forwardTo"] = recipients(r.sendsTo)
	}
	if r.movesTo != "" {
		actions["moveToFolder"] = "AQMkFolder" + strings.ReplaceAll(r.movesTo, " ", "")
	}
	conditions := object{}
	if len(r.words) > 0 {
		conditions["bodyOrSubjectContains"] = r.words
	}
	return object{
		"id": r.id, "displayName": r.name, "sequence": sequence, "isEnabled": r.enabled, "hasError": false, "isReadOnly": false,
		"conditions": conditions, "actions": actions,
	}
}

func (t *Tenant) listRules(c call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	var all []object
	for _, r := range t.rules[id] {
		if !r.hidden {
			all = append(all, r.graph(len(all)+1))
		}
	}
	return t.list(c, all, 100)
}

// ruleAt finds a rule that Graph knows; -1 where there is none.
func (t *Tenant) ruleAt(owner, id string, hidden bool) int {
	return slices.IndexFunc(t.rules[owner], func(r *rule) bool { return r.id == id && (hidden || !r.hidden) })
}

func ruleGone() psa.Answer {
	return graphError(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
}

func (t *Tenant) patchRule(c call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	i := t.ruleAt(id, parts[1], false)
	if i < 0 {
		return ruleGone()
	}
	if enabled, ok := c.body["isEnabled"].(bool); ok {
		t.setRule(c.by.App, id, t.rules[id][i], enabled)
	}
	return psa.Answer{Status: http.StatusOK, Body: t.rules[id][i].graph(i + 1)}
}

func (t *Tenant) setRule(app, owner string, r *rule, enabled bool) {
	t.change(func() { r.enabled = enabled })
	operation := "Enable-InboxRule"
	if !enabled {
		operation = "Disable-InboxRule"
	}
	t.write(app, "Exchange", operation, object{"id": owner + `\` + r.name}, object{"Name": "Identity", "Value": r.id})
}

func (t *Tenant) dropRule(app, owner string, r *rule) {
	t.change(func() {
		t.rules[owner] = slices.DeleteFunc(t.rules[owner], func(other *rule) bool { return other.id == r.id })
	})
	t.write(app, "Exchange", "Remove-InboxRule", object{"id": owner + `\` + r.name}, object{"Name": "Identity", "Value": r.id})
}

func (t *Tenant) deleteRule(c call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	i := t.ruleAt(id, parts[1], false)
	if i < 0 {
		return ruleGone()
	}
	t.dropRule(c.by.App, id, t.rules[id][i])
	return psa.Answer{Status: http.StatusNoContent}
}

// Deliver puts a mail into a mailbox, and returns its id.
func (t *Tenant) Deliver(account, from, subject, internetID string) string {
	id := ""
	t.locked(func() {
		u := t.find(account)
		if u == nil {
			return
		}
		owner := text(u["id"])
		id = t.messageID(owner)
		t.mail[owner] = append(t.mail[owner], object{
			"id": id, "subject": subject, "internetMessageId": internetID, "parentFolderId": "AQMkinbox", "receivedDateTime": stamp(t.cloud.clock.Now()),
			"from": object{"emailAddress": object{"name": from, "address": from}}, "isRead": false,
		})
	})
	return id
}

func (t *Tenant) messageID(owner string) string {
	t.revision++
	return "AAMk" + strings.ReplaceAll(t.guid("message", owner, time.Duration(t.revision).String()), "-", "")
}

var messageClause = regexp.MustCompile(`^(internetMessageId|from/emailAddress/address|subject) eq '((?:[^']|'')*)'$|^receivedDateTime ge (\S+)$`)

func (t *Tenant) listMessages(c call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	var found []object
	for _, m := range t.mail[id] {
		keep := true
		for clause := range strings.SplitSeq(c.query.Get("$filter"), " and ") {
			if clause == "" {
				continue
			}
			want := messageClause.FindStringSubmatch(clause)
			if want == nil {
				return graphError(http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")
			}
			value := strings.ReplaceAll(want[2], "''", "'")
			switch want[1] {
			case "internetMessageId", "subject":
				keep = keep && m[want[1]] == value
			case "from/emailAddress/address":
				from := m["from"].(object)["emailAddress"].(object)["address"] //nolint:forcetypeassert // set in Deliver
				keep = keep && strings.EqualFold(text(from), value)
			default:
				keep = keep && text(m["receivedDateTime"]) >= want[3]
			}
		}
		if keep {
			found = append(found, chosen(c, m))
		}
	}
	return t.list(c, found, 1000)
}

func (t *Tenant) moveMessage(c call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	i := index(t.mail[id], parts[1])
	folder, ok := c.body["destinationId"].(string)
	if !ok && c.body["DestinationId"] != nil {
		folder, ok = c.body["DestinationId"].(string)
	}
	switch {
	case i < 0:
		return ruleGone()
	case !ok:
		return graphError(http.StatusBadRequest, "ErrorInvalidRequest", "The destination is missing.")
	}
	moved := t.mail[id][i]
	// A mail that moves gets another id.
	moved["id"], moved["parentFolderId"] = t.messageID(id), "AQMk"+folder
	return psa.Answer{Status: http.StatusCreated, Body: moved}
}

func (t *Tenant) purgeMessage(_ call, parts []string) psa.Answer {
	id, none := t.mailbox(parts[0])
	if none != nil {
		return *none
	}
	if index(t.mail[id], parts[1]) < 0 {
		return ruleGone()
	}
	t.mail[id] = slices.DeleteFunc(t.mail[id], func(o object) bool { return o["id"] == parts[1] })
	return psa.Answer{Status: http.StatusNoContent}
}
