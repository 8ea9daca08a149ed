package microsoft

import (
	"crypto/rand"
	"encoding/base64"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

var pageOfVisitors = template.Must(template.New("visitors").Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<title>Simulated Microsoft sign-in</title><h1>{{.Title}}</h1><p>This is not Microsoft. Choose who you are:</p>
<ul>{{range .Links}}<li><a href="{{.Address}}">{{.Name}}</a></li>{{end}}</ul></html>`))

// visits says who a visitor is: whom the script or the link names, else it asks.
func (c *Cloud) visits(w http.ResponseWriter, r *http.Request, name, title string) (Visitor, bool) {
	c.mu.Lock()
	visitor := c.visitor
	c.mu.Unlock()
	if visitor.Tenant != nil {
		return visitor, true
	}
	query := r.URL.Query()
	if as := query.Get("as"); as != "" {
		_, domain, _ := strings.Cut(as, "@")
		if t := c.Tenant(domain); t != nil && t.account(as) != nil {
			return Visitor{Tenant: t, Account: as, Decline: query.Has("decline")}, true
		}
	}
	type link struct{ Address, Name string }
	var links []link
	for _, t := range c.Tenants() {
		if only := c.Tenant(name); only != nil && only != t {
			continue
		}
		for _, a := range t.world.Accounts[:min(3, len(t.world.Accounts))] {
			query.Set("as", a.UserPrincipalName)
			role := "member"
			if a.Administrator {
				role = "administrator"
			}
			links = append(links, link{r.URL.Path + "?" + query.Encode(), a.DisplayName + " of " + t.world.Name + ", " + role})
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageOfVisitors.Execute(w, map[string]any{"Title": title, "Links": links}) // the visitor has gone
	return Visitor{}, false
}

// back sends a visitor back to the application.
func back(w http.ResponseWriter, r *http.Request, redirect string, with url.Values) {
	u, err := url.Parse(redirect)
	if err != nil {
		http.Error(w, "AADSTS50011: the redirect address is none", http.StatusBadRequest)
		return
	}
	query := u.Query()
	maps.Copy(query, with)
	if state := r.URL.Query().Get("state"); state != "" {
		query.Set("state", state)
	}
	u.RawQuery = query.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound) //nolint:gosec // the address is one the application registered
}

// asked finds the application a page is about; it answers itself where it may
// not send anybody back.
func (c *Cloud) asked(w http.ResponseWriter, r *http.Request) (App, string, bool) {
	query := r.URL.Query()
	c.mu.Lock()
	app, known := c.apps[query.Get("client_id")]
	c.mu.Unlock()
	redirect := query.Get("redirect_uri")
	switch {
	case !known:
		http.Error(w, "AADSTS700016: Application was not found.", http.StatusBadRequest)
	case !slices.Contains(app.Redirects, redirect):
		http.Error(w, "AADSTS50011: The redirect URI does not match the redirect URIs configured for the application.", http.StatusBadRequest)
	default:
		return app, redirect, true
	}
	return App{}, "", false
}

func (c *Cloud) consentPage(w http.ResponseWriter, r *http.Request, name string) {
	app, redirect, ok := c.asked(w, r)
	if !ok {
		return
	}
	visitor, ok := c.visits(w, r, name, app.Name+" wants permissions")
	if !ok {
		return
	}
	t := visitor.Tenant
	switch {
	case name != "organizations" && c.Tenant(name) != t:
		back(w, r, redirect, url.Values{"error": {"access_denied"}, "error_description": {"AADSTS50020: User account does not exist in tenant."}})
	case visitor.Decline:
		back(w, r, redirect, url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined to consent to access the app."}})
	case !t.administers(visitor.Account):
		back(w, r, redirect, url.Values{"error": {"consent_required"}, "error_description": {"AADSTS90094: Admin consent is required."}})
	default:
		t.Consent(app.ClientID)
		back(w, r, redirect, url.Values{"admin_consent": {"True"}, "tenant": {t.ID}, "scope": {r.URL.Query().Get("scope")}})
	}
}

func (c *Cloud) authorizePage(w http.ResponseWriter, r *http.Request, name string) {
	app, redirect, ok := c.asked(w, r)
	if !ok {
		return
	}
	visitor, ok := c.visits(w, r, name, "Sign in to "+app.Name)
	if !ok {
		return
	}
	if visitor.Decline {
		back(w, r, redirect, url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined."}})
		return
	}
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		http.Error(w, "no randomness", http.StatusInternalServerError)
		return
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	c.mu.Lock()
	c.codes[text] = code{
		visitor: visitor, client: app.ClientID, redirect: redirect, nonce: r.URL.Query().Get("nonce"), until: c.clock.Now().Add(10 * time.Minute),
	}
	c.mu.Unlock()
	back(w, r, redirect, url.Values{"code": {text}, "session_state": {uuid.NewString()}})
}
