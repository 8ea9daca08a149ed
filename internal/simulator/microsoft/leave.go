package microsoft

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/internal/simulator"
)

// leave has what a record tells of come to be, when its time has come: rules,
// forwarding, consents, accounts and roles.
func (t *Tenant) leave(r simulator.Record, known told) {
	var do func()
	switch known.Operation {
	case "New-InboxRule":
		do = func() { t.leaveRule(r.ID, known) }
	case "Set-Mailbox":
		do = func() { t.leaveForwarding(known) }
	case "Consent to application.":
		do = func() { t.leaveConsent(r.Time, known) }
	case "Add user.":
		do = func() { t.leaveUser(r.Time, known) }
	case "Add member to role.":
		do = func() { t.leaveRole(known) }
	default:
		return
	}
	now := t.cloud.clock.Now()
	e := entry{at: r.Time, account: strings.ToLower(known.UserID), attack: true}
	run := func() {
		if t.happened(e) {
			do()
		}
	}
	if !r.Time.After(now) {
		run()
		return
	}
	t.later = append(t.later, effect{r.Time, run})
}

func (known told) parameter(name string) string {
	for _, p := range known.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func (known told) modified(name string) string {
	for _, m := range known.Modified {
		if m.Name == name {
			var list []string
			if json.Unmarshal([]byte(m.NewValue), &list) == nil && len(list) > 0 {
				return list[0]
			}
			return m.NewValue
		}
	}
	return ""
}

func (t *Tenant) leaveRule(id string, known told) {
	u := t.find(known.UserID)
	if u == nil {
		return
	}
	owner := u["id"].(string) //nolint:forcetypeassert // ids are texts
	made := &rule{
		id: t.guid("rule", id), name: known.parameter("Name"), enabled: true, movesTo: known.parameter("MoveToFolder"),
		deletes: known.parameter("DeleteMessage") == "True", marksRead: known.parameter("MarkAsRead") == "True",
		stops: known.parameter("StopProcessingRules") == "True",
	}
	for _, name := range []string{"ForwardTo", "RedirectTo", "ForwardAsAttachmentTo"} {
		if to := known.parameter(name); to != "" {
			made.sendsTo = append(made.sendsTo, strings.Split(to, ";")...)
		}
	}
	if words := known.parameter("SubjectOrBodyContainsWords"); words != "" {
		made.words = strings.Split(words, ";")
	}
	if !slices.ContainsFunc(t.rules[owner], func(r *rule) bool { return r.id == made.id }) {
		t.rules[owner] = append(t.rules[owner], made)
	}
}

func (t *Tenant) leaveForwarding(known told) {
	to := known.parameter("ForwardingSmtpAddress")
	u := t.find(known.UserID)
	if to != "" && u != nil {
		t.forwards[u["id"].(string)] = forwarding{smtp: to, keeps: known.parameter("DeliverToMailboxAndForward") == "True"} //nolint:forcetypeassert // ids are texts
	}
}

var consented = regexp.MustCompile(`Id: (\S+), ClientId: (\S+), PrincipalId: (\S+), ResourceId: (\S+), ConsentType: (\w+), Scope: ([^\]]*)\]`)

func (t *Tenant) leaveConsent(at time.Time, known told) {
	found := consented.FindStringSubmatch(known.modified("ConsentAction.Permissions"))
	if found == nil {
		return
	}
	name := "Unknown"
	for _, x := range known.Target {
		if x.Type == 1 {
			name = x.ID
		}
	}
	if !slices.ContainsFunc(t.apps, func(a object) bool { return a["id"] == found[2] }) {
		t.apps = append(t.apps, object{
			"id": found[2], "appId": known.ObjectID, "displayName": name, "accountEnabled": true, "servicePrincipalType": "Application",
			"appOwnerOrganizationId": t.guid("owner", known.ObjectID), "replyUrls": []string{}, "createdDateTime": stamp(at),
			"passwordCredentials": []object{}, "keyCredentials": []object{},
		})
	}
	t.grants = append(t.grants, object{
		"id": strings.TrimSuffix(found[1], ","), "clientId": found[2], "principalId": found[3], "resourceId": t.guid("service principal", "graph"),
		"consentType": found[5], "scope": " " + strings.TrimSpace(found[6]),
	})
}

func (t *Tenant) leaveUser(at time.Time, known told) {
	for _, x := range known.Target {
		if x.Type != 2 || len(x.ID) != 36 || t.users[x.ID] != nil {
			continue
		}
		u := t.newUser(x.ID, known.ObjectID, known.modified("DisplayName"), at)
		u["assignedLicenses"] = []object{}
		t.users[x.ID] = u
		t.touch(x.ID)
	}
}

func (t *Tenant) leaveRole(known told) {
	role := known.modified("Role.TemplateId")
	for _, x := range known.Target {
		if x.Type == 2 && len(x.ID) == 36 && role != "" {
			t.roles = append(t.roles, t.assignment(x.ID, role))
		}
	}
}

// write records an act of an application in the audit log.
func (t *Tenant) write(app, workload, operation string, target object, parameters ...object) {
	now := t.cloud.clock.Now()
	id := uuid.NewString()
	kind := 8
	if workload == "Exchange" {
		kind = 1
	}
	name, _ := target["displayName"].(string)
	targetID, _ := target["id"].(string)
	objectID, _ := target["userPrincipalName"].(string)
	if objectID == "" {
		objectID = targetID
	}
	record := object{
		"CreationTime": now.UTC().Format("2006-01-02T15:04:05"), "Id": id, "Operation": operation, "OrganizationId": t.ID, "RecordType": kind,
		"ResultStatus": "Success", "UserKey": "Not Available", "UserType": 5, "Version": 1, "Workload": workload, "ObjectId": objectID,
		"UserId": "ServicePrincipal_" + t.guid("service principal", app),
	}
	if kind == 1 {
		record["ResultStatus"], record["Parameters"], record["AppId"], record["ExternalAccess"] = "True", parameters, app, false
	} else {
		record["AzureActiveDirectoryEventType"], record["ModifiedProperties"] = 1, parameters
		record["Actor"] = []object{{"ID": app, "Type": 1}, {"ID": app, "Type": 4}}
		record["Target"] = []object{{"ID": targetID, "Type": 2}, {"ID": name, "Type": 1}}
		record["InterSystemsId"] = uuid.NewString()
	}
	raw, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("write %s: %v", operation, err)) // texts and numbers
	}
	t.take(simulator.Record{Log: simulator.UnifiedAudit, ID: id, Time: now, Raw: raw}, false)
}
