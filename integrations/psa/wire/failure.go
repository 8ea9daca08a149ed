package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// unanswered is the error of a call that got no answer, or not all of it.
func (c *Caller) unanswered(call *Call, err error) error {
	out := &psa.Error{Reason: psa.ReasonUnavailable, Doing: call.Doing, Retryable: true, MaybeDone: call.Writes()}
	host := call.Address.Host
	below := err
	if u, ok := errors.AsType[*url.Error](err); ok {
		below = u.Err // without the address that was called
	}
	var refused interface{ RefusedAddress() bool }
	dial, isDial := errors.AsType[*net.OpError](err)
	_, isName := errors.AsType[*net.DNSError](err)
	slow, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.As(err, &refused) && refused.RefusedAddress():
		out.Reason, out.Retryable, out.MaybeDone = psa.ReasonRefused, false, false
		out.Message = c.Excerpt(below.Error())
	case isName:
		out.MaybeDone = false
		out.Message = fmt.Sprintf("there is no host %s: check the address, and this machine's name servers", call.Address.Hostname())
	case isDial && dial.Op == "dial":
		out.MaybeDone = false
		out.Message = fmt.Sprintf("%s can't be reached: %s", host, c.Excerpt(dial.Err.Error()))
	case errors.Is(err, context.DeadlineExceeded), isNet && slow.Timeout():
		out.Reason, out.Message = psa.ReasonTimeout, host+" did not answer in time"
	case isTLS(err):
		out.MaybeDone = false
		out.Message = fmt.Sprintf("no secure connection to %s: %s", host, c.Excerpt(below.Error()))
	default:
		out.Message = fmt.Sprintf("the connection to %s broke: %s", host, c.Excerpt(below.Error()))
	}
	// What may be shown of it is in the message; what it is can be asked.
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			out.Cause = cause
		}
	}
	return out
}

// isTLS says whether a call failed before anything was sent, while the two
// sides agreed on a secure connection.
func isTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return certificate || authority || host || alert || record
}

// refused is the error of a call that was answered with a status that is no success.
func (c *Caller) refused(call *Call, resp *http.Response, body []byte) error {
	out := &psa.Error{Doing: call.Doing, Status: resp.StatusCode}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		out.Reason = psa.ReasonCredentials
	case status == http.StatusForbidden:
		out.Reason = psa.ReasonPermission
	case status == http.StatusNotFound, status == http.StatusGone:
		out.Reason = psa.ReasonNotFound
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity, status == http.StatusRequestEntityTooLarge:
		out.Reason = psa.ReasonInvalid
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusLocked:
		out.Reason, out.Retryable = psa.ReasonConflict, true
	case status == http.StatusTooManyRequests:
		out.Reason, out.Retryable, out.After = psa.ReasonThrottled, true, c.retryAfter(resp.Header.Get("Retry-After"))
	case status == http.StatusRequestTimeout:
		out.Reason, out.Retryable, out.MaybeDone = psa.ReasonTimeout, true, call.Writes()
	case status >= http.StatusInternalServerError:
		out.Reason, out.Retryable, out.MaybeDone = psa.ReasonUnavailable, true, call.Writes()
		out.After = c.retryAfter(resp.Header.Get("Retry-After"))
		if status == http.StatusGatewayTimeout {
			out.Reason = psa.ReasonTimeout
		}
	default: // a redirect, or a status that makes no sense here
		out.Reason = psa.ReasonProtocol
	}
	c.explain(out, resp.Header, body)
	out.Message = c.Excerpt(out.Message)
	if out.Message == "" {
		out.Message = http.StatusText(resp.StatusCode)
	}
	if out.Reason == psa.ReasonProtocol {
		out.Message = "an answer that makes no sense: " + out.Message
	}
	return out
}

// maxRetryAfter is the longest a PSA may have us wait.
const maxRetryAfter = time.Hour

// retryAfter reads the header: seconds or a date (RFC 9110, 10.2.3).
func (c *Caller) retryAfter(v string) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		d = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(c.now())
	}
	return min(max(d, 0), maxRetryAfter)
}

// Excerpt is the beginning of what the other side said, on one line and without
// what must not be shown, should it have said that back to us.
func (c *Caller) Excerpt(text string) string {
	const most = 500
	for _, secret := range c.secrets() {
		if secret == "" {
			continue
		}
		for _, written := range []string{base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), secret} {
			text = strings.ReplaceAll(text, written, "[secret]")
		}
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// Begins is the beginning of a body that is not what the vendor's API says: a
// page of the edge in front of it, without its markup, or a text.
func Begins(body []byte) string {
	const most = 200
	var b strings.Builder
	inside := false
	for _, r := range string(body[:min(len(body), 4096)]) {
		switch {
		case r == '<':
			inside = true
			b.WriteByte(' ')
		case r == '>':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	text := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(b.String(), "")), " "))
	return string(text[:min(len(text), most)])
}
