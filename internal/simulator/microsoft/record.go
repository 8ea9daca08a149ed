package microsoft

import (
	"cmp"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator"
)

// books are a tenant's logs.
type books struct {
	signIns  []entry // newest first, once ordered
	audits   []entry // directory audits, the same
	unsorted bool    // records came since
	// blobs are the audit log's records by content type and the second at which
	// they became available together.
	blobs map[string]map[int64][]entry

	subscribed map[string]time.Time // content types, since when

	living     bool
	lived      time.Time // life is told up to here
	duplicates bool
	lost       map[string]int  // lists of which that many pages come without records
	repeats    int             // pages that come twice
	written    map[string]bool // ids, for what is issued
}

// entry is a record of a log.
type entry struct {
	id        string
	at        time.Time // it happened
	available time.Time // it can be read
	raw       json.RawMessage
	account   string // user principal name in lower case of who acted
	kind      string // of a sign-in: its first event type
	attack    bool
}

func newBooks() books {
	return books{blobs: map[string]map[int64][]entry{}, subscribed: map[string]time.Time{}, lost: map[string]int{}, written: map[string]bool{}}
}

// Feed has records happen in the tenant. Each appears some minutes after its
// time; what happened before now appears that much after now. Records need not
// be well formed.
func (t *Tenant) Feed(records ...simulator.Record) {
	t.locked(func() {
		for _, r := range records {
			t.take(r, false)
		}
	})
}

// Known has records that are old news: each was available soon after its time.
func (t *Tenant) Known(records ...simulator.Record) {
	t.locked(func() {
		for _, r := range records {
			t.takeAt(r, r.Time.Add(t.lateness(r)), false)
		}
	})
}

// Attack has an attack of the world happen, from a moment on: its records, and
// what it leaves behind. It ends when the victim's sessions are ended.
func (t *Tenant) Attack(kind simulator.AttackKind, at time.Time) simulator.Attack {
	attack := t.cloud.options.World.Attack(kind, t.world, at)
	t.locked(func() {
		for _, r := range attack.Records {
			t.take(r, true)
		}
	})
	return attack
}

// Live has the tenant's everyday life happen from a moment on, as the clock
// runs: what came before now is old news.
func (t *Tenant) Live(from time.Time) {
	t.locked(func() { t.living, t.lived = true, from })
}

// Duplicate has every record of the audit log come in two blobs.
func (t *Tenant) Duplicate(on bool) { t.locked(func() { t.duplicates = on }) }

// LosePages has the next pages of a list ("signIns", "directoryAudits") come
// without their records; when they are asked for again they are there.
func (t *Tenant) LosePages(list string, pages int) { t.locked(func() { t.lost[list] = pages }) }

// RepeatPages has the next pages of lists be followed by themselves once more.
func (t *Tenant) RepeatPages(pages int) { t.locked(func() { t.repeats = pages }) }

// Issued are the ids of the records that can be read by now, by log.
func (t *Tenant) Issued(log simulator.Log) []string {
	var ids []string
	t.locked(func() {
		now := t.cloud.clock.Now()
		t.live(now)
		keep := func(e entry) {
			if !e.available.After(now) && t.happened(e) {
				ids = append(ids, e.id)
			}
		}
		if log == simulator.SignIns {
			for _, e := range t.signIns {
				keep(e)
			}
			return
		}
		for _, minutes := range t.blobs {
			for _, entries := range minutes {
				for _, e := range entries {
					keep(e)
				}
			}
		}
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// live tells the everyday life of the days that the clock has reached.
func (t *Tenant) live(now time.Time) {
	if !t.living || t.cloud.options.World == nil {
		return
	}
	for t.lived.Before(now) {
		until := t.lived.Truncate(24 * time.Hour).Add(24 * time.Hour)
		for _, r := range t.cloud.options.World.Life(t.world, t.lived, until) {
			t.takeAt(r, r.Time.Add(t.lateness(r)), false)
		}
		t.lived = until
	}
}

func (t *Tenant) take(r simulator.Record, attack bool) {
	available := r.Time
	if now := t.cloud.clock.Now(); available.Before(now) {
		available = now
	}
	t.takeAt(r, available.Add(t.lateness(r)), attack)
}

// lateness is always the same for a record.
func (t *Tenant) lateness(r simulator.Record) time.Duration {
	least, most := 2*time.Minute, 15*time.Minute
	if r.Log == simulator.UnifiedAudit {
		least, most = 3*time.Minute, 45*time.Minute
	}
	if late := t.cloud.options.Late; late != nil {
		least, most = late.Least, late.Most
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.ID)) // never fails
	if most <= least {
		return least
	}
	return least + time.Duration(h.Sum64()>>1)%(most-least)
}

// told is what the cloud reads of a record.
type told struct {
	UserPrincipalName string
	SignInEventTypes  []string
	RecordType        int
	Workload          string
	Operation         string
	UserID            string `json:"UserId"`
	ObjectID          string `json:"ObjectId"`
	Parameters        []struct{ Name, Value string }
	Modified          []struct{ Name, NewValue, OldValue string } `json:"ModifiedProperties"`
	Target            []struct {
		ID   string
		Type int
	}
	Actor []struct {
		ID   string
		Type int
	}
	InterSystemsID string `json:"InterSystemsId"`
	ActorIPAddress string `json:"ActorIpAddress"`
}

func (t *Tenant) takeAt(r simulator.Record, available time.Time, attack bool) {
	var known told
	_ = json.Unmarshal(r.Raw, &known) // a poisoned record is kept as it is
	e := entry{id: r.ID, at: r.Time, available: available, raw: r.Raw, attack: attack, account: strings.ToLower(known.UserPrincipalName)}
	if r.Log == simulator.SignIns {
		e.kind = "interactiveUser"
		if len(known.SignInEventTypes) > 0 {
			e.kind = known.SignInEventTypes[0]
		}
		t.signIns, t.unsorted = append(t.signIns, e), true
		return
	}
	e.account = strings.ToLower(known.UserID)
	kind := contentType(known)
	if t.blobs[kind] == nil {
		t.blobs[kind] = map[int64][]entry{}
	}
	every := t.cloud.options.BlobEvery
	times := []time.Time{available}
	if t.duplicates {
		times = append(times, available.Add(7*every))
	}
	for _, at := range times {
		minute := at.Truncate(every).Add(every)
		e.available = minute
		t.blobs[kind][minute.Unix()] = append(t.blobs[kind][minute.Unix()], e)
	}
	if known.RecordType == 8 {
		e.available = available
		e.raw = directoryAudit(r, known)
		t.audits, t.unsorted = append(t.audits, e), true
	}
	t.leave(r, known)
}

// order puts the logs newest first, when records came since.
func (b *books) order() {
	if !b.unsorted {
		return
	}
	b.unsorted = false
	for _, log := range [][]entry{b.signIns, b.audits} {
		slices.SortFunc(log, func(a, b entry) int {
			return cmp.Or(b.at.Compare(a.at), strings.Compare(a.id, b.id))
		})
	}
}

func contentType(r told) string {
	switch r.Workload {
	case "AzureActiveDirectory":
		return "Audit.AzureActiveDirectory"
	case "Exchange":
		return "Audit.Exchange"
	case "SharePoint", "OneDrive":
		return "Audit.SharePoint"
	default:
		return "Audit.General"
	}
}

// happened says whether a record came to be: an account that is disabled does
// nothing, and an attacker's sessions die with the victim's.
func (t *Tenant) happened(e entry) bool {
	if at, is := t.disabled[e.account]; is && e.at.After(at) {
		return false
	}
	at, is := t.ended[e.account]
	return !e.attack || !is || !e.at.After(at)
}

// directoryAudit is a record of the unified audit log as Graph's directory
// audits tell it.
func directoryAudit(r simulator.Record, known told) json.RawMessage {
	user := object{"userPrincipalName": known.UserID, "ipAddress": known.ActorIPAddress}
	app := object(nil)
	for _, a := range known.Actor {
		if a.Type == 2 && len(a.ID) == 36 {
			user["id"] = a.ID
		}
		if a.Type == 1 {
			app = object{"displayName": a.ID}
		}
	}
	by := object{"user": user, "app": nil}
	if app != nil {
		by = object{"user": nil, "app": app}
	}
	changes := []object{}
	for _, m := range known.Modified {
		changes = append(changes, object{"displayName": m.Name, "oldValue": m.OldValue, "newValue": m.NewValue})
	}
	target := object{"modifiedProperties": changes, "type": "Other", "id": ""}
	for _, x := range known.Target {
		switch {
		case x.Type == 5:
			target["userPrincipalName"] = x.ID
		case x.Type == 1:
			target["displayName"] = x.ID
		case x.Type == 2 && len(x.ID) == 36 && target["id"] == "":
			target["id"] = x.ID
		case x.Type == 2 && (x.ID == "User" || x.ID == "ServicePrincipal" || x.ID == "Role"):
			target["type"] = x.ID
		}
	}
	category := "UserManagement"
	switch {
	case strings.Contains(known.Operation, "role"):
		category = "RoleManagement"
	case target["type"] == "ServicePrincipal":
		category = "ApplicationManagement"
	}
	raw, err := json.Marshal(object{
		"id": "Directory_" + r.ID, "category": category, "correlationId": known.InterSystemsID, "result": "success", "resultReason": "",
		"activityDisplayName": strings.TrimSuffix(known.Operation, "."), "activityDateTime": stamp(r.Time), "loggedByService": "Core Directory",
		"operationType": "Update", "initiatedBy": by, "targetResources": []object{target}, "additionalDetails": []object{},
	})
	if err != nil {
		panic(err) // texts
	}
	return raw
}
