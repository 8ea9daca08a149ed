package microsoft

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// App is an application registered somewhere, that tenants may consent to.
type App struct {
	ClientID, Name string
	Secret         string
	SecretExpired  bool
	Certificate    *x509.Certificate
	Redirects      []string
	// Permissions are what it asks for, by audience ("https://graph.microsoft.com").
	Permissions map[string][]string
	// TellRoles has id tokens carry the person's directory roles.
	TellRoles bool
}

// Visitor is whoever follows a link to Entra's pages.
type Visitor struct {
	Tenant  *Tenant
	Account string // user principal name
	Decline bool
}

type code struct {
	visitor                 Visitor
	client, redirect, nonce string
	until                   time.Time
	used                    bool
}

// Register makes an application known.
func (c *Cloud) Register(a App) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps[a.ClientID] = a
}

// Visit says who follows links to Entra's pages from now on; nobody (the zero
// Visitor) has the pages ask.
func (c *Cloud) Visit(v Visitor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visitor = v
}

func (c *Cloud) login(w http.ResponseWriter, r *http.Request, tenant, rest string) {
	c.count(r.Method, "*/"+rest)
	switch {
	case rest == "oauth2/v2.0/token" && r.Method == http.MethodPost:
		refuse := func(int) any { return map[string]any{"error": "temporarily_unavailable", "error_codes": []int{90033}} }
		c.Login.Serve(w, r, "token", refuse, func() psa.Answer { return c.token(r, tenant) })
	case rest == "v2.0/adminconsent" && r.Method == http.MethodGet:
		c.consentPage(w, r, tenant)
	case rest == "oauth2/v2.0/authorize" && r.Method == http.MethodGet:
		c.authorizePage(w, r, tenant)
	default:
		http.NotFound(w, r)
	}
}

// refusal is an error of the token endpoint.
func (c *Cloud) refusal(status, number int, word, text string) psa.Answer {
	trace := uuid.NewString()
	return psa.Answer{Status: status, Body: map[string]any{
		"error": word, "error_codes": []int{number}, "trace_id": trace, "correlation_id": uuid.NewString(),
		"timestamp": c.clock.Now().UTC().Format("2006-01-02 15:04:05Z"), "error_uri": "https://login.microsoftonline.com/error?code=" + strconv.Itoa(number),
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s", number, text, trace),
	}}
}

func (c *Cloud) token(r *http.Request, name string) psa.Answer {
	if err := r.ParseForm(); err != nil {
		return c.refusal(http.StatusBadRequest, 900144, "invalid_request", "The request body is malformed.")
	}
	form := r.PostForm
	c.mu.Lock()
	app, known := c.apps[form.Get("client_id")]
	c.mu.Unlock()
	if form.Get("grant_type") == "authorization_code" {
		if !known {
			return c.refusal(http.StatusBadRequest, 700016, "unauthorized_client", "Application was not found in the directory.")
		}
		if refused := c.proves(app, name, form); refused != nil {
			return *refused
		}
		return c.redeem(app, form)
	}
	t := c.Tenant(name)
	if t == nil {
		return c.refusal(http.StatusBadRequest, 90002, "invalid_request", "Tenant '"+name+"' not found.")
	}
	consent := t.consent(form.Get("client_id"))
	if !known || consent == nil {
		return c.refusal(http.StatusBadRequest, 700016, "unauthorized_client",
			"Application with identifier '"+form.Get("client_id")+"' was not found in the directory '"+t.world.Name+"'.")
	}
	if refused := c.proves(app, name, form); refused != nil {
		return *refused
	}
	if consent.disabled {
		return c.refusal(http.StatusUnauthorized, 7000112, "unauthorized_client", "Application is disabled.")
	}
	audience := strings.TrimSuffix(form.Get("scope"), "/.default")
	if audience == form.Get("scope") {
		return c.refusal(http.StatusBadRequest, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid.")
	}
	now := c.clock.Now()
	life := 3599 + now.Unix()%1800 // seconds
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{
		"token_type": "Bearer", "expires_in": life, "ext_expires_in": life,
		"access_token": c.sign(map[string]any{
			"aud": audience, "tid": t.ID, "appid": app.ClientID, "roles": consent.roles[audience], "ver": "1.0",
			"iat": now.UnixNano(), "exp": now.Unix() + life, "idtyp": "app",
		}),
	}}
}

// proves checks an application's credential; nil is well.
func (c *Cloud) proves(app App, tenant string, form url.Values) *psa.Answer {
	refuse := func(number int, text string) *psa.Answer {
		answer := c.refusal(http.StatusUnauthorized, number, "invalid_client", text)
		return &answer
	}
	switch {
	case form.Get("client_secret") != "":
		if app.SecretExpired {
			return refuse(7000222, "The provided client secret keys for app '"+app.ClientID+"' are expired.")
		}
		if app.Secret == "" || form.Get("client_secret") != app.Secret {
			return refuse(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.")
		}
		return nil
	case form.Get("client_assertion") != "":
		if !c.asserts(app, tenant, form) {
			return refuse(700027, "The certificate with identifier used to sign the client assertion is not registered on application, or has expired.")
		}
		return nil
	default:
		return refuse(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
}

// asserts checks a signed assertion the way Entra does.
func (c *Cloud) asserts(app App, tenant string, form url.Values) bool {
	parts := strings.Split(form.Get("client_assertion"), ".")
	if len(parts) != 3 || app.Certificate == nil || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return false
	}
	var head struct {
		Alg        string `json:"alg"`
		Thumbprint string `json:"x5t#S256"`
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Expires  int64  `json:"exp"`
		Begins   int64  `json:"nbf"`
	}
	if !part(parts[0], &head) || !part(parts[1], &claims) {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	thumbprint := sha256.Sum256(app.Certificate.Raw)
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	key, ok := app.Certificate.PublicKey.(*rsa.PublicKey)
	now := c.clock.Now()
	return ok && head.Alg == "PS256" && head.Thumbprint == base64.RawURLEncoding.EncodeToString(thumbprint[:]) &&
		rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil &&
		claims.Issuer == app.ClientID && claims.Subject == app.ClientID && claims.ID != "" &&
		claims.Audience == c.address+"/"+tenant+"/oauth2/v2.0/token" &&
		// Entra allows clocks to differ by five minutes.
		claims.Expires > now.Add(-5*time.Minute).Unix() && claims.Begins < now.Add(5*time.Minute).Unix() &&
		now.Before(app.Certificate.NotAfter) && now.After(app.Certificate.NotBefore)
}

func part(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// sign makes a token. Only this server reads its signature.
func (c *Cloud) sign(claims map[string]any) string {
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err) // strings and numbers
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(raw)
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// bearer is who makes a call.
type bearer struct {
	Audience string   `json:"aud"`
	Tenant   string   `json:"tid"`
	App      string   `json:"appid"`
	Roles    []string `json:"roles"`
	Issued   int64    `json:"iat"` // in nanoseconds, for KillTokens
	Expires  int64    `json:"exp"`
}

func (b bearer) may(anyOf ...string) bool {
	return slices.ContainsFunc(anyOf, func(role string) bool { return slices.Contains(b.Roles, role) })
}

// bearer reads a call's token; false where it is not good for the audience.
func (c *Cloud) bearer(r *http.Request, audience string) (bearer, bool) {
	var b bearer
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(text, ".")
	if !ok || len(parts) != 3 {
		return b, false
	}
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) != parts[2] || !part(parts[1], &b) {
		return b, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return b, b.Audience == audience && b.Expires > c.clock.Now().Unix() && b.Issued > c.dead.UnixNano()
}

// redeem gives an id token for a code.
func (c *Cloud) redeem(app App, form url.Values) psa.Answer {
	text := form.Get("code")
	c.mu.Lock()
	given, known := c.codes[text]
	used := given.used
	if known {
		given.used = true
		c.codes[text] = given
	}
	c.mu.Unlock()
	now := c.clock.Now()
	switch {
	case !known, given.client != app.ClientID, given.redirect != form.Get("redirect_uri"):
		return c.refusal(http.StatusBadRequest, 70000, "invalid_grant", "The provided authorization code is not valid.")
	case used:
		return c.refusal(http.StatusBadRequest, 54005, "invalid_grant", "OAuth2 Authorization code was already redeemed.")
	case now.After(given.until):
		return c.refusal(http.StatusBadRequest, 70008, "invalid_grant", "The provided authorization code has expired.")
	}
	t := given.visitor.Tenant
	claims := map[string]any{
		"iss": c.address + "/" + t.ID + "/v2.0", "aud": app.ClientID, "tid": t.ID, "nonce": given.nonce, "ver": "2.0",
		"preferred_username": given.visitor.Account, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if a := t.account(given.visitor.Account); a != nil {
		claims["oid"] = a["id"]
	}
	if app.TellRoles {
		claims["wids"] = append(t.rolesOf(given.visitor.Account), "b79fbf4d-3ef9-4689-8143-76b194e85509")
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{
		"token_type": "Bearer", "scope": "openid profile", "expires_in": 3600, "access_token": c.sign(map[string]any{"aud": app.ClientID}), "id_token": c.sign(claims),
	}}
}
