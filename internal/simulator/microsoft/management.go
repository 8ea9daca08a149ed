package microsoft

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// contentTypes are those of the Management Activity API.
var contentTypes = []string{"Audit.AzureActiveDirectory", "Audit.Exchange", "Audit.SharePoint", "Audit.General", "DLP.All"}

const (
	contentLife = 7 * 24 * time.Hour
	contentPage = 200
	layout      = "2006-01-02T15:04:05"
)

// feedError is an error of the Management Activity API.
func feedError(status int, code, text string) psa.Answer {
	return psa.Answer{Status: status, Body: object{"error": object{"code": code, "message": text}}}
}

// management answers for manage.office.com. Path begins with a tenant's id.
func (c *Cloud) management(w http.ResponseWriter, r *http.Request, path string) {
	tenant, rest, _ := strings.Cut(path, "/")
	named := rest
	if strings.HasPrefix(rest, "activity/feed/audit/") {
		named = "activity/feed/audit/*"
	}
	c.count(r.Method, named)
	by, ok := c.bearer(r, "https://manage.office.com")
	t := c.Tenant(by.Tenant)
	if !ok || t == nil {
		psa.Write(w, psa.Answer{Status: http.StatusUnauthorized, Body: object{"Message": "Authorization has been denied for this request."}})
		return
	}
	if !strings.EqualFold(tenant, by.Tenant) {
		psa.Write(w, feedError(http.StatusForbidden, "AF20011", "The tenant ID in the URL does not match the tenant ID in the access token."))
		return
	}
	refuse := func(status int) any {
		code := "AF50000"
		if status == http.StatusTooManyRequests {
			code = "AF429"
		}
		return feedError(status, code, "The request could not be served.").Body
	}
	t.Faults.Serve(w, r, named, refuse, func() psa.Answer {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := c.clock.Now()
		t.settle(now)
		return t.feed(call{tenant: t, by: by, method: r.Method, path: rest, query: r.URL.Query(), now: now}).Fixed()
	})
}

func (t *Tenant) feed(c call) psa.Answer {
	kind := c.query.Get("contentType")
	if !c.by.may("ActivityFeed.Read") || kind == "DLP.All" && !c.by.may("ActivityFeed.ReadDlp") {
		return feedError(http.StatusUnauthorized, "AF10001", "The permission set () sent in the request did not include the expected permission.")
	}
	path := strings.TrimPrefix(c.path, "activity/feed/")
	if strings.HasPrefix(path, "subscriptions/") && path != "subscriptions/list" && !slices.Contains(contentTypes, kind) {
		return feedError(http.StatusBadRequest, "AF20020", "The specified content type is not valid.")
	}
	switch {
	case path == "subscriptions/start" && c.method == http.MethodPost:
		if !t.auditOn {
			// As seen at Microsoft: prose in the place of a code.
			return feedError(http.StatusBadRequest, "StartSubscription [CorrId=0] [TenantId="+t.ID+"]", "Tenant "+t.ID+" does not exist.")
		}
		if _, is := t.subscribed[kind]; is {
			return feedError(http.StatusBadRequest, "AF20024", "The subscription is already enabled. No property change.")
		}
		t.subscribed[kind] = c.now
		return psa.Answer{Status: http.StatusOK, Body: object{"contentType": kind, "status": "enabled", "webhook": nil}}
	case path == "subscriptions/stop" && c.method == http.MethodPost:
		delete(t.subscribed, kind)
		return psa.Answer{Status: http.StatusNoContent}
	case path == "subscriptions/list" && c.method == http.MethodGet:
		all := []object{}
		for _, kind := range contentTypes {
			if _, is := t.subscribed[kind]; is {
				all = append(all, object{"contentType": kind, "status": "enabled", "webhook": nil})
			}
		}
		return psa.Answer{Status: http.StatusOK, Body: all}
	case path == "subscriptions/content" && c.method == http.MethodGet:
		return t.contents(c, kind)
	case strings.HasPrefix(path, "audit/") && c.method == http.MethodGet:
		return t.blob(c, strings.TrimPrefix(path, "audit/"))
	default:
		return feedError(http.StatusNotFound, "AF20002", "The resource is not there.")
	}
}

// SubscribedSince has a content type be subscribed from a moment on.
func (t *Tenant) SubscribedSince(kind string, at time.Time) {
	t.locked(func() { t.subscribed[kind] = at })
}

// contents lists the blobs of a window.
func (t *Tenant) contents(c call, kind string) psa.Answer {
	since, is := t.subscribed[kind]
	if !is {
		return feedError(http.StatusBadRequest, "AF20022", "No subscription found for the specified content type.")
	}
	from, err := time.Parse(layout, c.query.Get("startTime"))
	to, err2 := time.Parse(layout, c.query.Get("endTime"))
	switch {
	case c.query.Get("startTime") == "" && c.query.Get("endTime") == "":
		from, to = c.now.Add(-24*time.Hour), c.now
	case err != nil || err2 != nil:
		return feedError(http.StatusBadRequest, "AF20002", "Invalid parameter type: startTime or endTime.")
	case to.Sub(from) > 24*time.Hour || !from.Before(to) || c.now.Sub(from) > contentLife+time.Minute:
		return feedError(http.StatusBadRequest, "AF20030", "Start time and end time must both be specified and must be less than or equal to 24 hours apart, with the start time no more than 7 days in the past.")
	}
	t.live(c.now)
	list := []object{}
	every := t.cloud.options.BlobEvery
	for at := from.Truncate(every); at.Before(to); at = at.Add(every) {
		if at.Before(from) || at.After(c.now) || !at.After(since) || len(t.blobs[kind][at.Unix()]) == 0 {
			continue
		}
		id := at.UTC().Format("20060102150405") + "$" + strings.ToLower(strings.ReplaceAll(kind, ".", "_")) + "$" + strconv.FormatInt(at.Unix(), 10)
		list = append(list, object{
			"contentType": kind, "contentId": id, "contentUri": t.cloud.address + "/api/v1.0/" + t.ID + "/activity/feed/audit/" + url.PathEscape(id),
			"contentCreated": at.UTC().Format("2006-01-02T15:04:05.000Z"), "contentExpiration": at.Add(contentLife).UTC().Format("2006-01-02T15:04:05.000Z"),
		})
	}
	offset := 0
	if token := c.query.Get("nextPage"); token != "" {
		var given int64
		if _, err := fmt.Sscanf(token, "%d-%d", &offset, &given); err != nil || offset < 0 || c.now.Sub(time.Unix(given, 0)) > t.cloud.options.PlaceLife {
			return feedError(http.StatusBadRequest, "AF20031", "Invalid nextPage Input.")
		}
	}
	size := t.size(c, contentPage)
	offset = min(offset, len(list))
	answer := psa.Answer{Status: http.StatusOK, Header: http.Header{}, Body: list[offset:min(offset+size, len(list))]}
	if offset+size < len(list) {
		query := maps.Clone(c.query)
		query.Set("startTime", from.Format(layout))
		query.Set("endTime", to.Format(layout))
		query.Set("nextPage", fmt.Sprintf("%d-%d", offset+size, c.now.Unix()))
		answer.Header.Set("Nextpageuri", t.cloud.address+"/api/v1.0/"+t.ID+"/"+c.path+"?"+query.Encode())
	}
	return answer
}

func (t *Tenant) blob(c call, id string) psa.Answer {
	parts := strings.Split(id, "$")
	if len(parts) != 3 {
		return feedError(http.StatusBadRequest, "AF20052", "Content requested is not valid.")
	}
	minute, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return feedError(http.StatusBadRequest, "AF20052", "Content requested is not valid.")
	}
	at := time.Unix(minute, 0)
	if c.now.Sub(at) > contentLife {
		return feedError(http.StatusBadRequest, "AF20051", "Content requested with the key "+id+" has already expired. Content older than 7 days cannot be retrieved.")
	}
	for _, kind := range contentTypes {
		if parts[1] != strings.ToLower(strings.ReplaceAll(kind, ".", "_")) || at.After(c.now) {
			continue
		}
		records := []json.RawMessage{}
		for _, e := range t.blobs[kind][minute] {
			if t.happened(e) {
				records = append(records, e.raw)
			}
		}
		return psa.Answer{Status: http.StatusOK, Body: records}
	}
	return feedError(http.StatusNotFound, "AF20050", "The specified content does not exist.")
}
