// Package signin holds the pages by which people get in: asking for a link,
// using it, accepting an invitation, signing out. They stand beside the API and
// work without scripts. OpenID Connect and passkeys will stand here as well,
// each a file of its own that ends in finish.
//
// What may not live here: who is a member and what links are worth (package member).
package signin

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Members is what lets people in.
type Members interface {
	RequestLink(ctx context.Context, email string, from member.Visitor) error
	UseLink(ctx context.Context, secret string, from member.Visitor) (token string, err error)
	Invited(ctx context.Context, secret string) (email, organization string, err error)
	Accept(ctx context.Context, secret, name string, from member.Visitor) (token string, err error)
}

// Config is what the pages need.
type Config struct {
	Members Members
	// Path is the public URL's path, without a final slash.
	Path string
	// Secure says that the public URL is https.
	Secure bool
	// Home is where a signed-in person goes, below Path.
	Home string
	// Address says where a request came from.
	Address func(r *http.Request) string
	// Current tells who is signed in with a session's token; "" for nobody.
	Current func(ctx context.Context, token string) (email string)
	// End ends the session with this token.
	End    func(ctx context.Context, token string) error
	Mails  bool // the demo's page of mails is at /mails/
	Logger *slog.Logger
	Now    func() time.Time
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Handler answers below /signin and at /signout. Requests that change anything
// must come from a page of ours: browsers say where they come from.
func Handler(cfg Config) http.Handler {
	h := &handler{Config: cfg, seen: map[string]*rate.Limiter{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signin", h.ask)
	mux.HandleFunc("POST /signin", h.request)
	mux.HandleFunc("GET /signin/link", h.showLink)
	mux.HandleFunc("POST /signin/link", h.useLink)
	mux.HandleFunc("GET /signin/invitation", h.showInvitation)
	mux.HandleFunc("POST /signin/invitation", h.accept)
	mux.HandleFunc("POST /signout", h.signOut)
	return http.NewCrossOriginProtection().Handler(mux)
}

type handler struct {
	Config

	mu      sync.Mutex
	seen    map[string]*rate.Limiter // by network that asks
	sending sync.WaitGroup
}

// The cookies. Names with __Host- can't be set by another host of the domain.
const (
	sessionCookie = "cairn_session"
	browserCookie = "cairn_browser"
	hostPrefix    = "__Host-"
)

// CookieName is the name of the session's cookie.
func CookieName(secure bool, path string) string { return cookieName(sessionCookie, secure, path) }

func cookieName(name string, secure bool, path string) string {
	if secure && path == "" {
		return hostPrefix + name
	}
	return name
}

func (h *handler) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	//nolint:gosec // Secure wherever users come by https; on a loopback address there is none
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(name, h.Secure, h.Path), Value: value, Path: h.Path + "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode,
	})
}

func (h *handler) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(cookieName(name, h.Secure, h.Path))
	if err != nil {
		return ""
	}
	return c.Value
}

// Lives of cookies: as long as what they stand for may live.
const (
	browserLife = 24 * time.Hour
	sessionLife = 30 * 24 * time.Hour
)

// view is what the page shows.
type view struct {
	Title, Text string
	Path        string
	Form        string // ask, link, invitation or none
	Token       string
	Email       string
	Mails       bool
	Home        string
}

func (h *handler) show(w http.ResponseWriter, status int, v view) {
	v.Path, v.Mails = h.Path, h.Mails
	var b strings.Builder
	if err := page.Execute(&b, v); err != nil {
		h.Logger.Error("sign-in page", "error", err)
		http.Error(w, "the page can't be shown", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String())) // the client has gone where this fails
}

func (h *handler) visitor(r *http.Request) member.Visitor {
	return member.Visitor{Browser: h.cookie(r, browserCookie), Address: h.Address(r), UserAgent: r.UserAgent()}
}

func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	if email := h.signedIn(r); email != "" {
		h.show(w, http.StatusOK, view{Title: "Signed in", Text: "You are signed in as " + email + ".", Form: "signout", Home: h.Path + h.Home})
		return
	}
	h.show(w, http.StatusOK, view{Title: "Sign in", Form: "ask"})
}

func (h *handler) signedIn(r *http.Request) string {
	if token := h.cookie(r, sessionCookie); token != "" {
		return h.Current(r.Context(), token)
	}
	return ""
}

// A network asks for so many links at once, and so many a minute after.
const (
	linkBurst     = 10
	linkEvery     = 30 * time.Second
	keptNetworks  = 10_000
	formBytes     = 8 << 10
	v4Bits        = 32
	v6NetworkBits = 64
)

// request mails a link. The answer and the time it takes are the same for every
// address, a member's or not.
func (h *handler) request(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if !h.mayAsk(h.Address(r)) {
		w.Header().Set("Retry-After", "30")
		h.show(w, http.StatusTooManyRequests, view{Title: "Slow down", Text: "Too many links were asked for from your network. Try again in half a minute.", Form: "ask"})
		return
	}
	email := strings.TrimSpace(r.PostFormValue("email"))
	from := h.visitor(r)
	if from.Browser == "" {
		random := make([]byte, 32)
		rand.Read(random) // crashes rather than fails
		from.Browser = base64.RawURLEncoding.EncodeToString(random)
	}
	h.setCookie(w, browserCookie, from.Browser, browserLife)
	ctx := context.WithoutCancel(r.Context())
	h.sending.Go(func() {
		if err := h.Members.RequestLink(ctx, email, from); err != nil {
			h.Logger.ErrorContext(ctx, "sign-in: a link could not be sent", "error", err)
		}
	})
	h.show(w, http.StatusOK, view{
		Title: "Look into your mail", Form: "none",
		Text: "If " + email + " may sign in, a link is on its way. It works once, for 15 minutes, in this browser. Nothing there? Look into the spam folder, or ask again.",
	})
}

// mayAsk says whether a network may ask for another link. It keeps nobody else out.
func (h *handler) mayAsk(address string) bool {
	network := address
	if a, err := netip.ParseAddr(address); err == nil {
		bits := v4Bits
		if a.Is6() {
			bits = v6NetworkBits
		}
		if p, err := a.Prefix(bits); err == nil {
			network = p.String()
		}
	}
	now := h.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	limiter := h.seen[network]
	if limiter == nil {
		if len(h.seen) >= keptNetworks {
			for n, l := range h.seen {
				if l.TokensAt(now) >= linkBurst {
					delete(h.seen, n)
				}
			}
		}
		limiter = rate.NewLimiter(rate.Every(linkEvery), linkBurst)
		h.seen[network] = limiter
	}
	return limiter.AllowN(now, 1)
}

// showLink asks for a press of a button: what scans mails for links opens them.
func (h *handler) showLink(w http.ResponseWriter, r *http.Request) {
	h.show(w, http.StatusOK, view{Title: "Sign in", Text: "One more press, so that a program that opens links can't use yours up.", Form: "link", Token: r.URL.Query().Get("token")})
}

func (h *handler) useLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	token, err := h.Members.UseLink(r.Context(), r.PostFormValue("token"), h.visitor(r))
	h.finish(w, r, token, err)
}

func (h *handler) showInvitation(w http.ResponseWriter, r *http.Request) {
	secret := r.URL.Query().Get("token")
	email, organization, err := h.Members.Invited(r.Context(), secret)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if current := h.signedIn(r); current != "" && current != email {
		h.show(w, http.StatusConflict, view{
			Title: "Another person is signed in", Form: "signout", Home: h.Path + h.Home,
			Text: "This invitation is for " + email + ", and you are signed in as " + current + ". Sign out first, then open the invitation again.",
		})
		return
	}
	h.show(w, http.StatusOK, view{Title: "Join " + organization, Text: "You are invited as " + email + ".", Form: "invitation", Token: secret})
}

func (h *handler) accept(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	secret := r.PostFormValue("token")
	email, _, err := h.Members.Invited(r.Context(), secret)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if current := h.signedIn(r); current != "" && current != email {
		h.show(w, http.StatusConflict, view{
			Title: "Another person is signed in", Form: "signout", Home: h.Path + h.Home,
			Text: "This invitation is for " + email + ", and you are signed in as " + current + ". Sign out first, then open the invitation again.",
		})
		return
	}
	token, err := h.Members.Accept(r.Context(), secret, r.PostFormValue("name"), h.visitor(r))
	h.finish(w, r, token, err)
}

// finish begins a session in the browser.
func (h *handler) finish(w http.ResponseWriter, r *http.Request, token string, err error) {
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.setCookie(w, sessionCookie, token, sessionLife)
	http.Redirect(w, r, h.Path+h.Home, http.StatusSeeOther)
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, member.ErrLink) {
		h.show(w, http.StatusForbidden, view{
			Title: "This link does not work", Form: "ask",
			Text: "It was used before, is too old, was replaced by a newer one, or was asked for in another browser. Ask for a new link here; an invitation is sent again by whoever invited you.",
		})
		return
	}
	if refused := refusal.From(err); refused != nil {
		h.show(w, http.StatusBadRequest, view{Title: "That can't be", Text: refused.Message + ".", Form: "invitation", Token: r.PostFormValue("token")})
		return
	}
	h.Logger.ErrorContext(r.Context(), "sign-in", "request", w.Header().Get("X-Request-ID"), "error", err)
	h.show(w, http.StatusServiceUnavailable, view{Title: "Something failed", Text: "You could not be signed in. Try again; the server's log tells more under the request id " + w.Header().Get("X-Request-ID") + ".", Form: "ask"})
}

func (h *handler) signOut(w http.ResponseWriter, r *http.Request) {
	if token := h.cookie(r, sessionCookie); token != "" {
		if err := h.End(r.Context(), token); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	h.setCookie(w, sessionCookie, "", -time.Second)
	http.Redirect(w, r, h.Path+"/signin", http.StatusSeeOther)
}
