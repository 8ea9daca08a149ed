package microsoft365

import (
	"context"
	"crypto/subtle"
	"net/url"
	"slices"
	"strings"
)

// Organizations stands for a tenant that is not known yet in the addresses a
// person is sent to.
const Organizations = "organizations"

// ConsentURL is where an administrator grants the application what it asks for.
// Tenant is an id or Organizations. Entra answers at redirect with "tenant",
// "state" and "admin_consent=True", or with "error"; all of it may be forged:
// what proves the tenant is the sign-in that follows (SignInURL, SignIn).
func (a *App) ConsentURL(tenant, redirect, state string) string {
	return a.page(tenant, "v2.0/adminconsent", url.Values{
		"client_id": {a.clientID}, "scope": {a.endpoints.Graph.Audience + "/.default"},
		"redirect_uri": {redirect}, "state": {state},
	})
}

// SignInURL is where the person who consented signs in, so that Entra tells who
// they are. Entra answers at redirect with "code" and "state", or with "error".
func (a *App) SignInURL(tenant, redirect, state, nonce string) string {
	return a.page(tenant, "oauth2/v2.0/authorize", url.Values{
		"client_id": {a.clientID}, "response_type": {"code"}, "response_mode": {"query"},
		"scope": {"openid profile"}, "redirect_uri": {redirect}, "state": {state}, "nonce": {nonce},
	})
}

func (a *App) page(tenant, path string, query url.Values) string {
	return a.endpoints.Login + "/" + url.PathEscape(tenant) + "/" + path + "?" + query.Encode()
}

// Person is who signed in.
type Person struct {
	Tenant   string // id of the directory they signed in to
	ObjectID string
	Name     string // user principal name, as the token has it
	// Roles are template ids of the directory roles they hold. Entra tells them
	// where the application's registration asks for the optional claim "wids";
	// nil says it did not: DirectoryRoles then tells.
	Roles []string
}

// consenters are the roles whose holders may consent for a tenant to
// application permissions of Graph.
// Source: learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent.
var consenters = []string{
	"62e90394-69f5-4237-9190-012177145e10", // Global Administrator
	"e8611ab8-c189-46e8-94e1-60213ab1f814", // Privileged Role Administrator
}

// MayConsent says whether one of the roles (template ids) may consent to what
// the application asks for.
func MayConsent(roles []string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(consenters, strings.ToLower(r)) })
}

// noRoles is what "wids" holds for a person without roles: the default of members.
const noRoles = "b79fbf4d-3ef9-4689-8143-76b194e85509"

// SignIn redeems the code that the sign-in ended with and returns who signed in.
// Tenant is where they were sent to (an id, or Organizations); nonce is the one
// they were sent with. What does not fit is ReasonForged, another tenant
// ReasonTenant.
func (a *App) SignIn(ctx context.Context, tenant, redirect, code, nonce string) (Person, error) {
	const doing = "sign in"
	answer, err := a.askToken(ctx, doing, tenant, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "scope": {"openid profile"},
	})
	if err != nil {
		return Person{}, err
	}
	var claims struct {
		Issuer   string   `json:"iss"`
		Audience string   `json:"aud"`
		Tenant   string   `json:"tid"`
		Object   string   `json:"oid"`
		Name     string   `json:"preferred_username"`
		Nonce    string   `json:"nonce"`
		Expires  int64    `json:"exp"`
		Roles    []string `json:"wids"`
	}
	// The token came from Entra itself over TLS in answer to our credential, so
	// OpenID Connect (Core, 3.1.3.7) asks for no proof of its signature.
	if err := readClaims(answer.IDToken, &claims); err != nil {
		return Person{}, fail(ReasonProtocol, doing, "the id token cannot be read")
	}
	claims.Tenant = strings.ToLower(claims.Tenant)
	switch {
	case nonce == "" || subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1:
		return Person{}, fail(ReasonForged, doing, "the sign-in is not the one that was begun")
	case claims.Audience != a.clientID:
		return Person{}, fail(ReasonForged, doing, "the sign-in is for another application")
	case claims.Expires <= a.now().Unix():
		return Person{}, fail(ReasonForged, doing, "the sign-in is too old")
	case !isGUID(claims.Tenant) || !isGUID(claims.Object):
		return Person{}, fail(ReasonForged, doing, "the sign-in does not say whose it is")
	case isGUID(tenant) && !strings.EqualFold(claims.Tenant, tenant):
		return Person{}, fail(ReasonTenant, doing, "the person belongs to another tenant")
	case claims.Issuer != a.endpoints.Login+"/"+claims.Tenant+"/v2.0":
		return Person{}, fail(ReasonForged, doing, "the sign-in was not issued by the tenant's own directory")
	}
	roles := slices.DeleteFunc(claims.Roles, func(r string) bool { return strings.EqualFold(r, noRoles) })
	return Person{claims.Tenant, strings.ToLower(claims.Object), a.clean(claims.Name), roles}, nil
}

// CallbackError reads the "error" and "error_description" that Entra sends a
// person back with; nil where there is none.
func (a *App) CallbackError(query url.Values) error {
	word := query.Get("error")
	if word == "" {
		return nil
	}
	e := fail(ReasonDeclined, "ask for consent", "")
	e.Code = a.clean(word)
	switch description := query.Get("error_description"); {
	case strings.Contains(description, "AADSTS65004"), strings.Contains(description, "AADSTS90094"), word == "access_denied", word == "consent_required":
		e.Message = "consent was not given"
	case word == "temporarily_unavailable", word == "server_error":
		e = fail(ReasonUnavailable, e.Doing, "Entra is busy")
	default:
		e = fail(ReasonInvalid, e.Doing, "Entra refused the request")
	}
	e.Code = a.clean(word)
	return e
}
