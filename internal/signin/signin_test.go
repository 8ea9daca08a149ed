package signin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/signin"
)

// house is a server with its pages, its members and what it mails.
type house struct {
	*testing.T

	db      *database.DB
	ctx     context.Context // of the organization
	org     *ent.Organization
	members *member.Service
	outbox  *mail.Outbox
	url     string

	mu      sync.Mutex
	at      time.Time
	address string // where requests come from
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func (h *house) from(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.address = address
}

func each(t *testing.T, test func(h *house)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := &house{T: t, db: db, at: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), address: "192.0.2.1"}
		h.ctx, h.org = databasetest.Organization(t, db, "MSP One")
		h.outbox = mail.NewOutbox(h.now)
		var pages http.Handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		h.url = server.URL
		h.members = member.New(db, h.outbox, func(path string) string { return h.url + path }, h.now)
		pages = signin.Handler(signin.Config{
			Members: h.members, Home: "/home", Current: h.members.Current, End: h.members.SignOut,
			Address: func(*http.Request) string { h.mu.Lock(); defer h.mu.Unlock(); return h.address },
			Logger:  slog.New(slog.DiscardHandler), Now: h.now,
		})
		test(h)
	})
}

func (h *house) admin(email string) *ent.Member {
	h.Helper()
	m, _, err := h.members.Create(h.ctx, email, "", member.Place{Role: access.RoleAdmin})
	require.NoError(h, err)
	return m
}

// browser is one, with its cookies.
type browser struct {
	*house
	*http.Client
}

func (h *house) browser() browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h, err)
	return browser{h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b browser) get(u string) (int, string) {
	b.Helper()
	res, err := b.Get(u)
	require.NoError(b, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	return res.StatusCode, string(body)
}

func (b browser) post(path string, form url.Values) (int, string) {
	b.Helper()
	res, err := b.PostForm(b.url+path, form)
	require.NoError(b, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	return res.StatusCode, string(body)
}

// session is the token in the browser's cookie.
func (b browser) session() string {
	b.Helper()
	u, err := url.Parse(b.url)
	require.NoError(b, err)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == signin.CookieName(false, "") {
			return c.Value
		}
	}
	return ""
}

var inMail = regexp.MustCompile(`https?://\S+\?token=(\S+)`)

// mailed is the nth link to an address, and its token.
func (h *house) mailed(to string, n int) (link, token string) {
	h.Helper()
	m, err := h.outbox.Next(h.Context(), to, n)
	require.NoError(h, err)
	found := inMail.FindStringSubmatch(m.Text)
	require.NotNil(h, found, m.Text)
	return found[0], found[1]
}

const ada = "ada@msp.example"

// Ensure a member gets in by a link, once, in the browser that asked for it,
// within 15 minutes, and out again.
func TestSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		h.admin(ada)
		b, other := h.browser(), h.browser()
		status, body := b.post("/signin", url.Values{"email": {" Ada@MSP.example "}})
		require.Equal(h, http.StatusOK, status)
		_, stranger := other.post("/signin", url.Values{"email": {"nobody@msp.example"}})
		require.Equal(h, strings.ReplaceAll(body, "Ada@MSP", "nobody@msp"), stranger, "the answer does not tell who is a member")

		link, token := h.mailed(ada, 0)
		status, body = b.get(link)
		require.Equal(h, http.StatusOK, status, "looking at a link does not use it")
		require.Contains(h, body, token)
		status, _ = other.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusForbidden, status, "another browser")
		require.Empty(h, other.session())
		status, _ = b.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusSeeOther, status)
		scope, err := h.members.Authenticate(h.Context(), b.session())
		require.NoError(h, err)
		require.Equal(h, h.org.ID, scope.OrganizationID)
		require.Equal(h, access.PrincipalMember, scope.Principal.Kind)
		require.Equal(h, access.RoleAdmin, scope.Principal.Role)
		status, _ = b.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusForbidden, status, "a second time")

		session := b.session()
		status, _ = b.post("/signout", nil)
		require.Equal(h, http.StatusSeeOther, status)
		_, err = h.members.Authenticate(h.Context(), session)
		require.ErrorIs(h, err, member.ErrUnknown)

		b.post("/signin", url.Values{"email": {ada}})
		_, token = h.mailed(ada, 1)
		h.pass(15 * time.Minute)
		status, _ = b.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusForbidden, status, "too old")
		for _, wrong := range []string{"", "x", token[:len(token)-1], token + "A", strings.Repeat("A", 43), strings.Repeat("A", 1<<20), "' OR 1=1"} {
			status, _ = b.post("/signin/link", url.Values{"token": {wrong}})
			require.Contains(h, []int{http.StatusForbidden, http.StatusRequestEntityTooLarge}, status)
		}
		failed, err := h.db.Client().AuditEntry.Query().All(h.ctx)
		require.NoError(h, err)
		results := map[string]int{}
		for _, e := range failed {
			if e.Action == "signIn" {
				results[e.Result]++
			}
		}
		require.Equal(h, map[string]int{"OK": 1, "FORBIDDEN": 3}, results)
	})
}

// Ensure a form of another site can do nothing.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		for _, path := range []string{"/signin", "/signin/link", "/signin/invitation", "/signout"} {
			r, err := http.NewRequestWithContext(h.Context(), http.MethodPost, h.url+path, strings.NewReader("email=x"))
			require.NoError(h, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			res, err := http.DefaultClient.Do(r)
			require.NoError(h, err)
			require.NoError(h, res.Body.Close())
			require.Equal(h, http.StatusForbidden, res.StatusCode, path)
		}
	})
}

// Ensure strangers who ask for links in a member's name neither flood its
// mailbox nor keep it out.
func TestNobodyIsLockedOut(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		h.admin(ada)
		h.from("198.51.100.7")
		home := h.browser()
		home.post("/signin", url.Values{"email": {ada}})
		_, token := h.mailed(ada, 0)
		status, _ := home.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusSeeOther, status)
		h.pass(time.Hour)

		for _, address := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"} {
			for range 5 {
				require.NoError(h, h.members.RequestLink(h.Context(), ada, member.Visitor{Browser: "theirs", Address: address}))
			}
		}
		count, err := h.db.Client().SignInLink.Query().Count(h.ctx)
		require.NoError(h, err)
		require.Equal(h, 6, count, "no more than six from strangers; old ones are swept")

		h.from("198.51.100.7")
		home.post("/signin", url.Values{"email": {ada}})
		_, token = h.mailed(ada, 7)
		status, _ = home.post("/signin/link", url.Values{"token": {token}})
		require.Equal(h, http.StatusSeeOther, status, "she who signed in from there before is not kept out")

		h.from("203.0.113.9")
		for range 10 {
			status, _ = h.browser().post("/signin", url.Values{"email": {"x@y.example"}})
			require.Equal(h, http.StatusOK, status)
		}
		status, _ = h.browser().post("/signin", url.Values{"email": {"x@y.example"}})
		require.Equal(h, http.StatusTooManyRequests, status)
		h.from("203.0.113.10")
		status, _ = h.browser().post("/signin", url.Values{"email": {"x@y.example"}})
		require.Equal(h, http.StatusOK, status, "other networks are not concerned")
	})
}

// Ensure an invitation makes the member it promises, once, for whom it is for.
func TestInvitation(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		tenant := databasetest.Tenant(h.ctx, h.T, h.db, "contoso")
		const ian = "ian@client.example"
		i, err := h.members.Invite(h.ctx, ian, member.Place{
			Role: access.RoleExternalGuest, Flags: []access.Flag{access.FlagReadOnly}, Tenants: []string{tenant.ID},
		}, nil)
		require.NoError(h, err)
		require.Empty(h, i.SendError)
		require.NotNil(h, i.SentAt)
		_, err = h.members.Invite(h.ctx, ian, member.Place{Role: access.RoleAdmin}, nil)
		require.Equal(h, refusal.Taken, refusal.From(err).Code)
		_, first := h.mailed(ian, 0)
		_, err = h.members.Resend(h.ctx, i.ID)
		require.NoError(h, err)
		link, second := h.mailed(ian, 1)

		h.admin(ada)
		signedIn := h.browser()
		signedIn.post("/signin", url.Values{"email": {ada}})
		_, token := h.mailed(ada, 0)
		signedIn.post("/signin/link", url.Values{"token": {token}})
		status, body := signedIn.get(link)
		require.Equal(h, http.StatusConflict, status, "it is for another than who is signed in")
		require.Contains(h, body, ian)
		status, _ = signedIn.post("/signin/invitation", url.Values{"token": {second}, "name": {"Ada"}})
		require.Equal(h, http.StatusConflict, status)

		b := h.browser()
		status, _ = b.post("/signin/invitation", url.Values{"token": {first}, "name": {"Ian"}})
		require.Equal(h, http.StatusForbidden, status, "sent anew, the old link is dead")
		status, body = b.get(link)
		require.Equal(h, http.StatusOK, status)
		require.Contains(h, body, "MSP One")
		status, _ = b.post("/signin/invitation", url.Values{"token": {second}, "name": {"Ian"}})
		require.Equal(h, http.StatusSeeOther, status)
		scope, err := h.members.Authenticate(h.Context(), b.session())
		require.NoError(h, err)
		require.Equal(h, access.RoleExternalGuest, scope.Principal.Role)
		require.True(h, scope.Principal.IsReadOnly())
		seen, err := h.db.Client().Tenant.Query().IDs(access.With(h.Context(), scope))
		require.NoError(h, err)
		require.Equal(h, []string{tenant.ID}, seen)
		status, _ = h.browser().post("/signin/invitation", url.Values{"token": {second}})
		require.Equal(h, http.StatusForbidden, status, "a second time")

		// Changes hold from the next request on.
		m, err := h.db.Client().Member.Query().All(h.ctx)
		require.NoError(h, err)
		var guest *ent.Member
		for _, one := range m {
			if one.Email == ian {
				guest = one
			}
		}
		_, err = h.members.Update(h.ctx, guest.ID, member.Place{Role: access.RoleSales})
		require.NoError(h, err)
		scope, err = h.members.Authenticate(h.Context(), b.session())
		require.NoError(h, err)
		require.Equal(h, access.RoleSales, scope.Principal.Role)
		_, err = h.members.Remove(h.ctx, guest.ID)
		require.NoError(h, err)
		_, err = h.members.Authenticate(h.Context(), b.session())
		require.ErrorIs(h, err, member.ErrUnknown)

		revoked, err := h.members.Invite(h.ctx, "rae@client.example", member.Place{Role: access.RoleSales}, nil)
		require.NoError(h, err)
		_, err = h.members.Revoke(h.ctx, revoked.ID)
		require.NoError(h, err)
		_, token = h.mailed("rae@client.example", 0)
		status, _ = h.browser().post("/signin/invitation", url.Values{"token": {token}})
		require.Equal(h, http.StatusForbidden, status, "revoked")
		late, err := h.members.Invite(h.ctx, "lee@client.example", member.Place{Role: access.RoleSales}, nil)
		require.NoError(h, err)
		h.pass(8 * 24 * time.Hour)
		_, token = h.mailed("lee@client.example", 0)
		status, _ = h.browser().post("/signin/invitation", url.Values{"token": {token}})
		require.Equal(h, http.StatusForbidden, status, "expired")
		_, err = h.members.Resend(h.ctx, late.ID)
		require.NoError(h, err, "and may be sent again")
	})
}

// Ensure the last Admin stays, and nobody is made what makes no sense.
func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		first := h.admin(ada)
		end := h.now().Add(time.Hour)
		for _, place := range []member.Place{{Role: access.RoleFullMember}, {Role: access.RoleAdmin, AccessUntil: &end}} {
			_, err := h.members.Update(h.ctx, first.ID, place)
			require.Equal(h, refusal.Conflict, refusal.From(err).Code)
		}
		_, err := h.members.Remove(h.ctx, first.ID)
		require.Equal(h, refusal.Conflict, refusal.From(err).Code)
		second := h.admin("bo@msp.example")

		// Two who remove each other at once: one stays.
		errs := make(chan error, 2)
		for _, id := range []string{first.ID, second.ID} {
			go func() {
				_, err := h.members.Remove(h.ctx, id)
				errs <- err
			}()
		}
		a, b := <-errs, <-errs
		require.NotEqual(h, a == nil, b == nil, "%v, %v", a, b)

		stranger, _ := databasetest.Organization(h.T, h.db, "MSP Two")
		_, err = h.members.Remove(stranger, second.ID)
		require.Equal(h, refusal.NotFound, refusal.From(err).Code)
	})
}

// Ensure nobody grants more than he has.
func TestNobodyGrantsMoreThanHeHas(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		as := access.With(context.Background(), access.Scope{OrganizationID: h.org.ID, Principal: access.Principal{
			Kind: access.PrincipalMember, ID: "member_x", Role: access.RoleFullMember, Flags: []access.Flag{access.FlagManageTenants},
		}})
		_, err := h.members.Invite(as, "x@y.example", member.Place{Role: access.RoleAdmin}, nil)
		require.Equal(h, refusal.Invalid, refusal.From(err).Code)
		require.ErrorContains(h, err, "beyond what you may yourself")
		_, err = h.members.Invite(as, "x@y.example", member.Place{Role: access.RoleFullMember, Flags: []access.Flag{access.FlagViewSensitive}}, nil)
		require.ErrorContains(h, err, "beyond what you may yourself")
	})
}
