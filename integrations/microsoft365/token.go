package microsoft365

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// early is how long before its end a token is renewed.
const early = 5 * time.Minute

// token is an access token and what it says of itself. It is kept by its
// address, for the same reason as the credential.
type token struct {
	text  string
	roles []string
	ends  time.Time
}

// tokens are kept per tenant and audience.
type tokens struct {
	asking singleflight.Group
	mu     sync.Mutex
	kept   map[string]map[string]*token // by tenant, then audience
}

func (k *tokens) get(tenant, audience string, now time.Time) (*token, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.kept[tenant][audience]
	return found, found != nil && now.Add(early).Before(found.ends)
}

func (k *tokens) put(tenant, audience string, t *token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[string]map[string]*token{}
	}
	if k.kept[tenant] == nil {
		k.kept[tenant] = map[string]*token{}
	}
	k.kept[tenant][audience] = t
}

// drop forgets a tenant's tokens.
func (k *tokens) drop(tenant string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, tenant)
}

// refused forgets one token, unless another has taken its place.
func (k *tokens) refused(tenant, audience, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kept := k.kept[tenant][audience]; kept != nil && kept.text == text {
		delete(k.kept[tenant], audience)
	}
}

// token returns a token for an API, a kept one where it is still good. Callers
// at the same moment share one request.
func (t *Tenant) token(ctx context.Context, audience string) (*token, error) {
	a := t.app
	if kept, ok := a.tokens.get(t.ID, audience, a.now()); ok {
		return kept, nil
	}
	got, err, _ := a.tokens.asking.Do(t.ID+" "+audience, func() (any, error) {
		if kept, ok := a.tokens.get(t.ID, audience, a.now()); ok {
			return kept, nil
		}
		// One caller's end must not be that of the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {audience + "/.default"}}
		answer, err := a.askToken(ctx, "get a token", t.ID, form)
		if err != nil {
			return nil, err
		}
		var claims struct {
			Roles []string `json:"roles"`
		}
		if err := readClaims(answer.AccessToken, &claims); err != nil {
			return nil, fail(ReasonProtocol, "get a token", "the access token cannot be read")
		}
		slices.Sort(claims.Roles)
		fresh := &token{answer.AccessToken, claims.Roles, a.now().Add(time.Duration(answer.ExpiresIn) * time.Second)}
		a.tokens.put(t.ID, audience, fresh)
		return fresh, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*token), nil //nolint:forcetypeassert // the function above returns nothing else
}

// tokenAnswer is what the token endpoint answers, well or not.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
	ExpiresIn   int64  `json:"expires_in"`

	Error       string  `json:"error"`
	Description string  `json:"error_description"`
	Codes       []int64 `json:"error_codes"`
	TraceID     string  `json:"trace_id"`
}

// askToken makes one request of a tenant's token endpoint.
func (a *App) askToken(ctx context.Context, doing, tenant string, form url.Values) (tokenAnswer, error) {
	var answer tokenAnswer
	address := a.endpoints.Login + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token"
	if err := a.credential.sign(form, a.clientID, address, a.now()); err != nil {
		return answer, fail(ReasonCredentials, doing, err.Error())
	}
	call := Call{App: a.clientID, Tenant: tenant, Family: FamilyLogin}
	if err := a.budget.Take(ctx, call); err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, fail(ReasonInvalid, doing, "the address of the token endpoint cannot be used")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := a.client.Do(request)
	a.traffic.count(call, response)
	if err != nil {
		return answer, unreachable(doing, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer, unreachable(doing, err)
	}
	readable := json.Unmarshal(raw, &answer) == nil
	if response.StatusCode == http.StatusOK {
		if !readable || answer.AccessToken == "" && answer.IDToken == "" || answer.ExpiresIn < 0 || answer.ExpiresIn > 1<<24 {
			return answer, fail(ReasonProtocol, doing, "the token endpoint's answer holds no token")
		}
		return answer, nil
	}
	return tokenAnswer{}, a.tokenError(doing, response, answer)
}

// tokenReasons sorts Entra's numbers of failures.
// Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
var tokenReasons = map[int64]struct {
	reason  Reason
	message string
}{
	7000215: {ReasonCredentials, "the client secret is wrong"},
	7000222: {ReasonCredentials, "the client secret has expired"},
	7000218: {ReasonCredentials, "the application's credential is missing"},
	700027:  {ReasonCredentials, "the certificate is not the application's, or it has expired"},
	700016:  {ReasonConsent, "the tenant does not know the application: consent is missing or was withdrawn"},
	7000229: {ReasonConsent, "the application has no service principal in the tenant: consent is missing or was withdrawn"},
	7000112: {ReasonConsent, "the application is disabled in the tenant"},
	65001:   {ReasonConsent, "the tenant has not consented to the application"},
	500011:  {ReasonConsent, "the service has no service principal in the tenant: it was never used there"},
	650052:  {ReasonConsent, "the tenant lacks the service"},
	90099:   {ReasonConsent, "the partner has not consented for the tenant"},
	90002:   {ReasonTenant, "there is no such tenant"},
	900021:  {ReasonTenant, "there is no such tenant"},
	900023:  {ReasonTenant, "the tenant's id is none"},
	90094:   {ReasonDeclined, "an administrator has to consent"},
	65004:   {ReasonDeclined, "the person declined"},
	70008:   {ReasonForged, "the sign-in's code has expired"},
	54005:   {ReasonForged, "the sign-in's code was used before"},
	70000:   {ReasonForged, "the sign-in's code is not valid"},
	50011:   {ReasonInvalid, "the redirect address is not registered with the application"},
	90033:   {ReasonUnavailable, "Entra is busy"},
	90055:   {ReasonThrottled, "too many token requests"},
}

func (a *App) tokenError(doing string, response *http.Response, answer tokenAnswer) error {
	e := fail(ReasonProtocol, doing, "")
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		e = fail(ReasonThrottled, doing, "too many token requests")
	case response.StatusCode >= http.StatusInternalServerError:
		e = fail(ReasonUnavailable, doing, "Entra does not answer properly")
	case answer.Error == "invalid_client":
		e = fail(ReasonCredentials, doing, "the application's credential is not accepted")
	case answer.Error == "unauthorized_client":
		e = fail(ReasonConsent, doing, "the tenant does not let the application in")
	case answer.Error == "temporarily_unavailable":
		e = fail(ReasonUnavailable, doing, "Entra is busy")
	case answer.Error != "":
		e = fail(ReasonInvalid, doing, a.clean(answer.Description))
	}
	for _, code := range answer.Codes {
		e.Code = "AADSTS" + strconv.FormatInt(code, 10)
		if known, ok := tokenReasons[code]; ok {
			code := e.Code
			e = fail(known.reason, doing, known.message)
			e.Code = code
			break
		}
	}
	if e.Message == "" {
		e.Message = "the token endpoint's answer makes no sense"
	}
	e.Status, e.RequestID, e.RetryAfter = response.StatusCode, a.clean(answer.TraceID), retryAfter(response.Header, a.now())
	return e
}

// readClaims reads the middle part of a token. It proves nothing: whoever reads
// it got the token from Entra itself, over TLS.
func readClaims(text string, into any) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return fmt.Errorf("a token has three parts, not %d", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return fmt.Errorf("decode a token: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode a token: %w", err)
	}
	return nil
}
