// Package wire makes the HTTP calls of the PSA adapters and says of each failure
// what the contract wants said: why, whether a retry can help, whether it may
// have been done nevertheless, and never a secret.
//
// What may not live here: knowledge of any one vendor.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

const (
	callTime  = 30 * time.Second // that one call may take
	maxAnswer = 32 << 20         // bytes of an answer
)

// Caller makes the calls of one connection.
type Caller struct {
	client  *http.Client
	now     func() time.Time
	secrets func() []string
	explain func(e *psa.Error, header http.Header, body []byte)
}

// New returns a caller. Secrets returns what must stand in no error, however it
// is written. Explain is told of a call that was answered with no success; it
// fills in the vendor's words and, where its statuses mean other than HTTP's,
// what follows from them.
func New(client *http.Client, now func() time.Time, secrets func() []string, explain func(*psa.Error, http.Header, []byte)) *Caller {
	bounded := *client
	// A redirect would carry the credentials to another place.
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Caller{client: &bounded, now: now, secrets: secrets, explain: explain}
}

// Call is one HTTP call.
type Call struct {
	Doing   string // for errors, e.g. "create ticket"
	Method  string
	Address *url.URL
	Header  http.Header
	Body    any  // sent as JSON, url.Values as a form; nil for none
	Out     any  // decoded from the answer, if not nil
	Reads   bool // a POST that only asks
}

// Writes says whether the call may change something.
func (c *Call) Writes() bool { return c.Method != http.MethodGet && !c.Reads }

// Send makes a call and reads its answer.
func (c *Caller) Send(ctx context.Context, call Call) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r, err := request(ctx, &call)
	if err != nil {
		return fmt.Errorf("%s: %w", call.Doing, err)
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return c.unanswered(&call, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.unanswered(&call, err)
	}
	if len(answer) > maxAnswer {
		return &psa.Error{Reason: psa.ReasonProtocol, Doing: call.Doing, Message: "the answer is too large", Status: resp.StatusCode, MaybeDone: call.Writes()}
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return c.refused(&call, resp, answer)
	}
	if call.Out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, call.Out); err != nil {
		return &psa.Error{
			Reason: psa.ReasonProtocol, Doing: call.Doing, Message: "the answer can't be read: " + c.Excerpt(string(answer)),
			Status: resp.StatusCode, Retryable: true, MaybeDone: call.Writes(),
		}
	}
	return nil
}

func request(ctx context.Context, call *Call) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch b := call.Body.(type) {
	case nil:
	case url.Values:
		body, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body, kind = bytes.NewReader(raw), "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, call.Method, call.Address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	maps.Copy(r.Header, call.Header)
	return r, nil
}

// Unclear is the error of an answer that is no answer to what was asked: a write
// whose outcome nobody tells.
func Unclear(doing, message string) error {
	return &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: message, Retryable: true, MaybeDone: true}
}
