package microsoft

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const userPage = 200

// sorted are the users in the order of their ids, which never changes.
func (t *Tenant) sorted() []object {
	var all []object
	for _, id := range slices.Sorted(maps.Keys(t.users)) {
		all = append(all, t.users[id])
	}
	return all
}

// chosen is an object with the properties that a call selects.
func chosen(c call, o object) object {
	names := c.query.Get("$select")
	if names == "" {
		return o
	}
	picked := object{}
	for name := range strings.SplitSeq(names, ",") {
		if v, ok := o[name]; ok {
			picked[name] = v
		}
	}
	return picked
}

func (t *Tenant) getUser(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	return psa.Answer{Status: http.StatusOK, Body: chosen(c, u)}
}

func (t *Tenant) listUsers(c call, _ []string) psa.Answer {
	var all []object
	for _, u := range t.sorted() {
		all = append(all, chosen(c, u))
	}
	return t.list(c, all, 999)
}

// sinceToken is what a delta link holds.
type sinceToken struct {
	Revision int64
	Select   string
}

// deltaUsers tells all users, or those that changed since a delta link.
func (t *Tenant) deltaUsers(c call, _ []string) psa.Answer {
	if strings.Contains(c.query.Get("$select"), "signInActivity") {
		return badRequest("Delta query does not support the property signInActivity.")
	}
	var since sinceToken
	if token := c.query.Get("$deltatoken"); token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(raw, &since) != nil {
			return badRequest("The deltatoken is invalid.")
		}
		if since.Revision < t.deltas {
			return graphError(http.StatusGone, "SyncStateNotFound", "The sync state generation is not found; continue without deltaLink.")
		}
		c.query.Set("$select", since.Select)
	}
	p, ok := t.place(c, c.path)
	if !ok {
		return stale()
	}
	// What changes while the list is read comes with the next delta.
	until := p.Since
	if c.query.Get("$skiptoken") == "" {
		until = t.revision
	}
	var all []object
	for _, id := range slices.Sorted(maps.Keys(t.changed)) {
		switch revision := t.changed[id]; {
		case revision <= since.Revision:
		case t.users[id] != nil:
			all = append(all, chosen(c, t.users[id]))
		case since.Revision > 0:
			all = append(all, object{"id": id, "@removed": object{"reason": "deleted"}})
		}
	}
	size := t.size(c, userPage)
	from := min(p.Offset, len(all))
	body := object{
		"@odata.context": t.cloud.address + "/v1.0/$metadata#users",
		"value":          append([]object{}, all[from:min(from+size, len(all))]...),
	}
	if from+size < len(all) {
		body["@odata.nextLink"] = t.next(c, "v1.0", place{List: c.path, Offset: from + size, Since: until, Given: c.now.Unix()})
	} else {
		raw, err := json.Marshal(sinceToken{until, c.query.Get("$select")})
		if err != nil {
			panic(err) // a number and a text
		}
		query := url.Values{"$deltatoken": {base64.RawURLEncoding.EncodeToString(raw)}}
		body["@odata.deltaLink"] = t.cloud.address + "/v1.0/users/delta?" + query.Encode()
	}
	return psa.Answer{Status: http.StatusOK, Body: body}
}

// syncEvery is how often the directory on premises writes its accounts over.
const syncEvery = 30 * time.Minute

func (t *Tenant) patchUser(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	enabled, hasEnabled := c.body["accountEnabled"].(bool)
	profile, hasPassword := c.body["passwordProfile"].(object)
	switch {
	case hasEnabled && !c.by.may("User.EnableDisableAccount.All", "User.ReadWrite.All"),
		hasPassword && !c.by.may("User-PasswordProfile.ReadWrite.All"):
		return denied()
	case !hasEnabled && !hasPassword:
		return badRequest("Specified HTTP method is not allowed for the request target.")
	// Administrators are acted on by a service principal with a role only.
	case t.ranks(u) && !t.strong:
		return denied()
	case hasPassword && u["onPremisesSyncEnabled"] == true:
		return badRequest("Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
	}
	id, name := text(u["id"]), strings.ToLower(text(u["userPrincipalName"]))
	now := c.now
	if hasPassword {
		if word, ok := profile["password"].(string); !ok || len(word) < 8 {
			return badRequest("The specified password does not comply with password complexity requirements.")
		}
		t.change(func() {
			u["lastPasswordChangeDateTime"] = stamp(now)
			t.ended[name] = now
			t.touch(id)
		})
		t.write(c.by.App, "AzureActiveDirectory", "Reset user password.", u)
	}
	if hasEnabled {
		t.change(func() { t.enable(u, enabled, now) })
		operation := "Enable account."
		if !enabled {
			operation = "Disable account."
		}
		t.write(c.by.App, "AzureActiveDirectory", operation, u)
		if u["onPremisesSyncEnabled"] == true {
			next := now.Truncate(syncEvery).Add(syncEvery)
			t.later = append(t.later, effect{next, func() { t.enable(u, true, next) }})
		}
	}
	return psa.Answer{Status: http.StatusNoContent}
}

func (t *Tenant) enable(u object, enabled bool, at time.Time) {
	name := strings.ToLower(text(u["userPrincipalName"]))
	u["accountEnabled"] = enabled
	if enabled {
		delete(t.disabled, name)
	} else {
		t.disabled[name] = at
		t.ended[name] = at
	}
	t.touch(text(u["id"]))
}

// ranks says whether an account holds a directory role.
func (t *Tenant) ranks(u object) bool {
	return slices.ContainsFunc(t.roles, func(a object) bool { return a["principalId"] == u["id"] })
}

func (t *Tenant) revoke(c call, parts []string) psa.Answer {
	u := t.find(parts[0])
	if u == nil {
		return notFound()
	}
	now := c.now
	t.change(func() {
		u["signInSessionsValidFromDateTime"] = stamp(now)
		t.ended[strings.ToLower(text(u["userPrincipalName"]))] = now
		t.touch(text(u["id"]))
	})
	t.write(c.by.App, "AzureActiveDirectory", "Update StsRefreshTokenValidFrom Timestamp.", u)
	return psa.Answer{Status: http.StatusOK, Body: object{"@odata.context": t.cloud.address + "/v1.0/$metadata#Edm.Boolean", "value": true}}
}
