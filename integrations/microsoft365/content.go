package microsoft365

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// ContentType is a part of the unified audit log, as the Office 365 Management
// Activity API cuts it.
type ContentType string

// The content types. ContentDLP needs the permission ActivityFeed.ReadDlp.
const (
	ContentEntra      ContentType = "Audit.AzureActiveDirectory"
	ContentExchange   ContentType = "Audit.Exchange"
	ContentSharePoint ContentType = "Audit.SharePoint"
	ContentGeneral    ContentType = "Audit.General"
	ContentDLP        ContentType = "DLP.All"
)

// ContentReach is how far back content is listed, ContentWindow how wide a
// window may be.
const (
	ContentReach  = 7 * 24 * time.Hour
	ContentWindow = 24 * time.Hour
)

// Subscription is a content type for which Microsoft collects content.
type Subscription struct {
	Type   ContentType `json:"contentType"`
	Status string      `json:"status"` // enabled, disabled
}

// Content is a blob of audit records.
type Content struct {
	Type    ContentType `json:"contentType"`
	ID      string      `json:"contentId"`
	Address string      `json:"contentUri"`
	// Created is when it became available; windows and checkpoints go by it.
	Created time.Time `json:"contentCreated"`
	Expires time.Time `json:"contentExpiration"`
}

// ContentPage is a piece of a list of blobs.
type ContentPage struct {
	Contents []Content
	Next     string // verbatim; "" at the end
}

// feed is an address of the API; each call names who publishes the application,
// else it falls into a quota shared with strangers.
func (t *Tenant) feed(path string, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	if t.app.publisher != "" {
		query.Set("PublisherIdentifier", t.app.publisher)
	}
	return t.app.endpoints.Management.Address + "/api/v1.0/" + t.ID + "/activity/feed/" + path + "?" + query.Encode()
}

// Subscriptions lists the content types subscribed.
func (t *Tenant) Subscriptions(ctx context.Context) ([]Subscription, error) {
	var all []Subscription
	err := t.read(ctx, request{doing: "read the audit log's subscriptions", address: t.feed("subscriptions/list", nil)}, &all)
	return all, err
}

// StartSubscription has Microsoft collect a content type; where it does already
// nothing changes. The first content may take twelve hours. ReasonAuditLogOff
// says that auditing is off in the tenant. Read the list back: a subscription
// said to be started may not be there.
func (t *Tenant) StartSubscription(ctx context.Context, kind ContentType) error {
	_, _, err := t.do(ctx, request{
		doing: "subscribe to the audit log", method: http.MethodPost,
		address: t.feed("subscriptions/start", url.Values{"contentType": {string(kind)}}),
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "AF20024" {
		return nil // already enabled
	}
	return err
}

// Contents lists the blobs of a content type that became available within a
// window of at most a day, not more than seven days back. From is a page's Next
// to go on from, or "".
func (t *Tenant) Contents(ctx context.Context, kind ContentType, w Window, from string) iter.Seq2[ContentPage, error] {
	const doing = "list audit content"
	const layout = "2006-01-02T15:04:05"
	return func(yield func(ContentPage, error) bool) {
		if w.To.Sub(w.From) > ContentWindow || !w.From.Before(w.To) {
			yield(ContentPage{}, fail(ReasonInvalid, doing, "a window is longer than nothing and at most a day"))
			return
		}
		first := t.feed("subscriptions/content", url.Values{
			"contentType": {string(kind)}, "startTime": {w.From.UTC().Format(layout)}, "endTime": {w.To.UTC().Format(layout)},
		})
		address := first
		if from != "" {
			address = from
		}
		restarted := false
		for seen := map[string]bool{}; ; {
			seen[address] = true
			var page ContentPage
			raw, header, err := t.do(ctx, request{doing: doing, address: address})
			if Is(err, ReasonResync) && address != first && !restarted {
				restarted, address = true, first
				clear(seen)
				continue
			}
			if err == nil && json.Unmarshal(raw, &page.Contents) != nil {
				err = fail(ReasonProtocol, doing, "the list is not the JSON it should be")
			}
			if err != nil {
				yield(ContentPage{}, err)
				return
			}
			page.Next = header.Get("Nextpageuri")
			if seen[page.Next] {
				yield(ContentPage{}, fail(ReasonProtocol, doing, "the list leads back to a page that was read"))
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			address = page.Next
		}
	}
}

// Blob reads the records of a blob, each as Microsoft sent it. The same record
// may be in several blobs. ReasonExpired: Microsoft keeps it no longer; what is
// past its Expires is not asked for.
func (t *Tenant) Blob(ctx context.Context, c Content) ([]json.RawMessage, error) {
	const doing = "read audit content"
	if !c.Expires.IsZero() && !t.app.now().Before(c.Expires) {
		return nil, fail(ReasonExpired, doing, "the content has expired")
	}
	raw, _, err := t.do(ctx, request{doing: doing, address: c.Address})
	if err != nil {
		if Is(err, ReasonNotFound) {
			e := fail(ReasonExpired, doing, "the content is gone")
			e.Cause = err
			return nil, e
		}
		return nil, err
	}
	records, err := readBlob(raw)
	if err != nil {
		return nil, fail(ReasonProtocol, doing, "the content is not the JSON it should be")
	}
	return records, nil
}

func readBlob(raw []byte) ([]json.RawMessage, error) {
	var records []json.RawMessage
	err := json.Unmarshal(raw, &records)
	return records, err
}
