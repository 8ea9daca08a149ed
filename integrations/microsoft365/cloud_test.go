package microsoft365_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"iter"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const (
	detectionID = "11111111-0000-4000-8000-000000000001"
	responseID  = "11111111-0000-4000-8000-000000000002"
	secret      = "a-secret~that.must-stay_ours"
	redirect    = "https://cairn.example/microsoft365/callback"
)

// noon is when the tests' clouds begin; their clocks stand still.
var noon = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

// setting is a cloud and the two applications.
type setting struct {
	cloud               *microsoft.Cloud
	clock               *psa.Clock
	detection, response *microsoft365.App
	budget              *ledger
}

// permissions of a level by audience, as the script registers them.
func permissions(level microsoft365.Level) map[string][]string {
	public := microsoft365.Public()
	audience := map[string]string{
		microsoft365.APIGraph: public.Graph.Audience, microsoft365.APIManagement: public.Management.Audience,
		microsoft365.APIExchange: public.Exchange.Audience,
	}
	asked := map[string][]string{}
	for _, p := range microsoft365.Asked(level) {
		asked[audience[p.API]] = append(asked[audience[p.API]], p.Name)
	}
	return asked
}

// start makes a cloud in which every tenant consented to both applications.
func start(t *testing.T, change ...func(*microsoft.Options)) *setting {
	t.Helper()
	clock := psa.NewClock(noon, 0, time.Now)
	options := microsoft.Options{World: simulator.New(simulator.Config{Seed: 7}), Clock: clock, Late: &microsoft.Lateness{}}
	for _, c := range change {
		c(&options)
	}
	cloud, err := microsoft.Start(t.Context(), "127.0.0.1:0", options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	s := &setting{cloud: cloud, clock: clock, budget: &ledger{}}
	for id, level := range map[string]microsoft365.Level{detectionID: microsoft365.LevelDetection, responseID: microsoft365.LevelResponse} {
		cloud.Register(microsoft.App{
			ClientID: id, Name: "Cairn", Secret: secret, Redirects: []string{redirect}, Permissions: permissions(level), TellRoles: true,
		})
		for _, tenant := range cloud.Tenants() {
			tenant.Consent(id)
		}
	}
	s.detection, s.response = s.app(t, detectionID), s.app(t, responseID)
	return s
}

func (s *setting) app(t *testing.T, id string, change ...func(*microsoft365.Config)) *microsoft365.App {
	t.Helper()
	client := s.cloud.Client()
	client.Transport = watched(t, client.Transport)
	config := microsoft365.Config{
		ClientID: id, Secret: secret, Publisher: "22222222-0000-4000-8000-000000000000", Endpoints: microsoft365.At(s.cloud.Address()),
		Client: client, Budget: s.budget, Now: s.clock.Now,
	}
	for _, c := range change {
		c(&config)
	}
	app, err := microsoft365.New(config)
	require.NoError(t, err)
	return app
}

// tenant is the first of the cloud, and its client for an application.
func (s *setting) tenant(t *testing.T, app *microsoft365.App) (*microsoft.Tenant, *microsoft365.Tenant) {
	t.Helper()
	of := s.cloud.Tenants()[0]
	client, err := app.Tenant(of.ID)
	require.NoError(t, err)
	return of, client
}

// person is an account without a role.
func person(of *microsoft.Tenant) *simulator.Account { return of.World().Accounts[1] }

// all reads a list to its end.
func all(t *testing.T, pages iter.Seq2[microsoft365.Page, error]) []json.RawMessage {
	t.Helper()
	var records []json.RawMessage
	for page, err := range pages {
		require.NoError(t, err)
		records = append(records, page.Records...)
	}
	return records
}

// idsOf are the ids of records, sorted, each once.
func idsOf(t *testing.T, records []json.RawMessage) []string {
	t.Helper()
	var ids []string
	for _, raw := range records {
		var r struct{ ID string }
		require.NoError(t, json.Unmarshal(raw, &r))
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func reason(t *testing.T, want microsoft365.Reason, err error) *microsoft365.Error {
	t.Helper()
	var e *microsoft365.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Reason, "%v", err)
	require.NotEmpty(t, e.Advice)
	require.NotContains(t, err.Error(), secret)
	return e
}

// certificate makes a key and a certificate for it.
func certificate(t *testing.T, until time.Time) (text []byte, made *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Cairn"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	made, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), made
}

// follow goes where a person is sent, and returns the query they come back with.
func (s *setting) follow(t *testing.T, address string) map[string][]string {
	t.Helper()
	client := s.cloud.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(address)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	back, err := response.Location()
	require.NoError(t, err)
	require.Equal(t, redirect, back.Scheme+"://"+back.Host+back.Path)
	return back.Query()
}

func containsText(raw json.RawMessage, text string) bool { return strings.Contains(string(raw), text) }
