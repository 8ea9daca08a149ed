package microsoft

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const (
	reportPage = 1000
	// A tenant with P1 keeps its reports for 30 days, another for 7.
	reachPremium = 30 * 24 * time.Hour
	reachFree    = 7 * 24 * time.Hour
)

var (
	comparison = regexp.MustCompile(`^(createdDateTime|activityDateTime) (ge|le|eq) (\S+)$`)
	eventType  = regexp.MustCompile(`^signInEventTypes/any\((\w+): ?(\w+) eq '(\w+)'\)$`)
)

// condition reads a filter of the reports, and from when on a record may fit;
// false where it holds what this cloud does not know.
func condition(filter, field string) (fits func(entry) bool, from time.Time, ok bool) {
	kinds, keep := []string{"interactiveUser"}, []func(entry) bool{}
	for clause := range strings.SplitSeq(filter, " and ") {
		if clause == "" {
			continue
		}
		if m := eventType.FindStringSubmatch(clause); m != nil && m[1] == m[2] && field == "createdDateTime" {
			kinds = []string{m[3]}
			continue
		}
		m := comparison.FindStringSubmatch(clause)
		if m == nil || m[1] != field {
			return nil, from, false
		}
		at, err := time.Parse(time.RFC3339, m[3])
		if err != nil {
			return nil, from, false
		}
		if m[2] == "ge" && at.After(from) {
			from = at
		}
		keep = append(keep, func(e entry) bool {
			switch c := e.at.Compare(at); m[2] {
			case "ge":
				return c >= 0
			case "le":
				return c <= 0
			default:
				return c == 0
			}
		})
	}
	return func(e entry) bool {
		if field == "createdDateTime" && e.kind != kinds[0] {
			return false
		}
		for _, k := range keep {
			if !k(e) {
				return false
			}
		}
		return true
	}, from, true
}

func (t *Tenant) listSignIns(c call, _ []string) psa.Answer {
	if !t.premium {
		return graphError(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
			"Neither tenant is B2C or tenant doesn't have premium license")
	}
	return t.report(c, "signIns", "beta", "createdDateTime", reachPremium)
}

func (t *Tenant) listAudits(c call, _ []string) psa.Answer {
	reach := reachFree
	if t.premium {
		reach = reachPremium
	}
	return t.report(c, "directoryAudits", "v1.0", "activityDateTime", reach)
}

// report answers with a page of a log, newest first.
func (t *Tenant) report(c call, name, version, field string, reach time.Duration) psa.Answer {
	if refused := t.throttled(c); refused != nil {
		return *refused
	}
	keep, from, ok := condition(c.query.Get("$filter"), field)
	if !ok {
		return graphError(http.StatusBadRequest, "BadRequest", "Invalid filter clause: the property or operator is not supported.")
	}
	p, ok := t.place(c, c.path)
	if !ok {
		return stale()
	}
	t.live(c.now)
	t.order()
	log := t.signIns
	if name == "directoryAudits" {
		log = t.audits
	}
	size := t.size(c, reportPage)
	page, found, more := []json.RawMessage{}, p.Last == "", false
	last := ""
	for _, e := range log {
		if e.at.Before(from) {
			break
		}
		if e.available.After(c.now) || c.now.Sub(e.at) > reach || !keep(e) {
			continue
		}
		if !found {
			found = e.id == p.Last
			continue
		}
		if len(page) == size {
			more = true
			break
		}
		if raw, is := t.shown(e); is {
			page, last = append(page, raw), e.id
		}
	}
	if p.Twice {
		p.Twice = false
	} else if t.repeats > 0 && more {
		// The same page once more before the list goes on.
		t.repeats--
		p.Twice = true
		last = p.Last
	}
	body := object{"@odata.context": t.cloud.address + "/" + version + "/$metadata#auditLogs/" + name, "value": page}
	if more {
		body["@odata.nextLink"] = t.next(c, version, place{List: c.path, Last: last, Given: c.now.Unix(), Twice: p.Twice})
	}
	if t.lost[name] > 0 {
		t.lost[name]--
		body["value"] = []json.RawMessage{}
	}
	return psa.Answer{Status: http.StatusOK, Body: body}
}

// shown is a record as it came to be: of an account that is disabled a sign-in
// is a failure.
func (t *Tenant) shown(e entry) (json.RawMessage, bool) {
	if t.happened(e) {
		return e.raw, true
	}
	if e.kind == "" {
		return nil, false
	}
	var record object
	if json.Unmarshal(e.raw, &record) != nil {
		return e.raw, true
	}
	number, reason := 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed."
	if at, is := t.disabled[e.account]; is && e.at.After(at) {
		number, reason = 50057, "The user account is disabled."
	}
	record["status"] = object{"errorCode": number, "failureReason": reason, "additionalDetails": nil}
	raw, err := json.Marshal(record)
	return raw, err == nil
}
