package app

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/outbound"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Microsoft are the applications that the operator registered with Microsoft.
type Microsoft struct {
	// ClientID and CredentialFile are those of the application that watches;
	// the file holds a certificate with its key (PEM), or a client secret.
	ClientID, CredentialFile string
	// ResponseClientID and ResponseCredentialFile are those of the one that acts.
	ResponseClientID, ResponseCredentialFile string
	// Publisher is the directory they are registered in.
	Publisher string

	// What follows is set by the demo: another cloud than Microsoft's.
	endpoints *microsoft365.Endpoints
	client    *http.Client
	secret    string
	pace      *collect.Pace
}

// openWatch builds what watches tenants.
func (a *App) openWatch() error {
	m := a.cfg.Microsoft
	detection, err := a.microsoftApp(m.ClientID, m.CredentialFile)
	if err != nil {
		return err
	}
	response, err := a.microsoftApp(m.ResponseClientID, m.ResponseCredentialFile)
	if err != nil {
		return err
	}
	pace := collect.StandardPace
	if m.pace != nil {
		pace = *m.pace
	}
	a.Collect = collect.New(collect.Config{
		DB: a.db, Work: a.work, Feed: a.feed, Detection: detection, Response: response,
		Intake: func() (collect.Intake, error) { return a.intake() },
		Link:   a.cfg.link, Pace: pace, Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
	a.Collect.Register()
	return nil
}

// microsoftApp opens a registered application; nil where none is configured.
func (a *App) microsoftApp(clientID, file string) (*microsoft365.App, error) {
	m := a.cfg.Microsoft
	if clientID == "" {
		return nil, nil //nolint:nilnil // none
	}
	cfg := microsoft365.Config{ClientID: clientID, Publisher: m.Publisher, Secret: m.secret, Client: m.client, Now: a.cfg.Now}
	if m.endpoints != nil {
		cfg.Endpoints = *m.endpoints
	}
	if cfg.Client == nil {
		cfg.Client = outbound.NewClient(outbound.Policy{})
	}
	if cfg.Secret == "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the credential of the Microsoft application %s: %w", clientID, err)
		}
		if strings.Contains(string(text), "-----BEGIN") {
			cfg.Certificate = text
		} else {
			cfg.Secret = strings.TrimSpace(string(text))
		}
	}
	return microsoft365.New(cfg)
}

var answerPage = template.Must(template.New("answer").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}} · Cairn</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:12vh auto 0;padding:0 1rem;color:#1b1f24;background:#fff}</style>
<h1>{{.Title}}</h1><p>{{.Text}}</p></html>`))

func answer(w http.ResponseWriter, status int, title, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = answerPage.Execute(w, map[string]string{"Title": title, "Text": text}) // the client has gone where this fails
}

// consented is where Entra sends an administrator back to from the consent page.
func (a *App) consented(w http.ResponseWriter, r *http.Request) {
	signIn, err := a.Collect.Consented(r.Context(), r.URL.Query())
	if err != nil {
		a.unanswered(w, r, err)
		return
	}
	http.Redirect(w, r, signIn, http.StatusSeeOther) //nolint:gosec // the address is Microsoft's sign-in page, made of the server's own settings
}

// signedIn is where Entra sends the administrator back to from signing in.
func (a *App) signedIn(w http.ResponseWriter, r *http.Request) {
	tenant, err := a.Collect.SignedIn(r.Context(), r.URL.Query())
	if err != nil {
		a.unanswered(w, r, err)
		return
	}
	answer(w, http.StatusOK, "Thank you", "Consent was given for "+tenant+". You can close this page.")
}

func (a *App) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	switch refused := refusal.From(err); {
	case errors.Is(err, collect.ErrRequest):
		answer(w, http.StatusForbidden, "This link does not work", "It was used before, is too old, or is not of this server. Ask whoever sent it for another.")
	case refused != nil:
		answer(w, http.StatusForbidden, "Consent was not taken", refused.Message)
	default:
		a.cfg.Logger.ErrorContext(r.Context(), "consent", "request", w.Header().Get("X-Request-ID"), "error", err)
		answer(w, http.StatusServiceUnavailable, "Something failed", "Try the link again. The server's log tells more under the request id "+w.Header().Get("X-Request-ID")+".")
	}
}
