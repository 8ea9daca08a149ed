package mail

import (
	"context"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outbox keeps mails instead of sending them, and shows them on a page.
type Outbox struct {
	now func() time.Time

	mu   sync.Mutex
	sent []kept
	told chan struct{} // closed and made anew with each mail
}

type kept struct {
	Message

	At time.Time
}

// keptMails is how many mails an outbox remembers.
const keptMails = 200

// NewOutbox returns an empty outbox.
func NewOutbox(now func() time.Time) *Outbox { return &Outbox{now: now, told: make(chan struct{})} }

// Send keeps the mail.
func (o *Outbox) Send(_ context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, kept{m, o.now()})
	o.sent = o.sent[max(0, len(o.sent)-keptMails):]
	close(o.told)
	o.told = make(chan struct{})
	return nil
}

// Next returns the nth mail to an address (0 is the first), waiting for it.
func (o *Outbox) Next(ctx context.Context, to string, n int) (Message, error) {
	for {
		o.mu.Lock()
		var found []Message
		for _, m := range o.sent {
			if m.To == to {
				found = append(found, m.Message)
			}
		}
		told := o.told
		o.mu.Unlock()
		if len(found) > n {
			return found[n], nil
		}
		select {
		case <-told:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

var (
	link = regexp.MustCompile(`https?://[^\s<>"]+`)
	page = template.Must(template.New("outbox").Funcs(template.FuncMap{"parts": parts}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Mails</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
article{border:1px solid #d0d7de;border-radius:8px;padding:1rem;margin:1rem 0}h2{font-size:1.1rem;margin:0}
pre{white-space:pre-wrap;font:inherit;margin:.5rem 0 0}.m{color:#57606a}</style>
<h1>Mails</h1><p class="m">What this demo would have sent, the newest first.</p>
{{range .}}<article><h2>{{.Subject}}</h2><div class="m">to {{.To}}, {{.At.Format "2006-01-02 15:04:05"}} UTC</div>
<pre>{{range parts .Text}}{{if .Link}}<a href="{{.Text}}">{{.Text}}</a>{{else}}{{.Text}}{{end}}{{end}}</pre></article>{{else}}<p>None yet.</p>{{end}}</html>`))
)

type part struct {
	Text string
	Link bool
}

func parts(text string) (out []part) {
	at := 0
	for _, m := range link.FindAllStringIndex(text, -1) {
		out = append(out, part{Text: text[at:m[0]]}, part{Text: text[m[0]:m[1]], Link: true})
		at = m[1]
	}
	return append(out, part{Text: text[at:]})
}

// ServeHTTP shows the mails, the newest first.
func (o *Outbox) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	sent := slices.Clone(o.sent)
	o.mu.Unlock()
	slices.Reverse(sent)
	var b strings.Builder
	if err := page.Execute(&b, sent); err != nil {
		http.Error(w, "the mails can't be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(b.String()))
}
