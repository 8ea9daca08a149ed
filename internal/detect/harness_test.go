package detect_test

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// shelf keeps books the way the pipeline does: as bytes between two batches.
type shelf struct {
	t       require.TestingT
	books   map[detect.BookKey][]byte
	reviews map[detect.BookKey]detect.Review
	reads   int
	last    detect.Review // the last one of an overflowed book, as it came
}

func newShelf(t require.TestingT) *shelf {
	return &shelf{t: t, books: make(map[detect.BookKey][]byte), reviews: make(map[detect.BookKey]detect.Review)}
}

func (s *shelf) Books(_ context.Context, keys []detect.BookKey) (map[detect.BookKey]*detect.Book, error) {
	s.reads++
	out := make(map[detect.BookKey]*detect.Book)
	for _, k := range keys {
		if data, ok := s.books[k]; ok {
			b, err := detect.DecodeBook(k.Kind, data)
			require.NoError(s.t, err)
			out[k] = b
		}
	}
	return out, nil
}

func (s *shelf) process(e *detect.Engine, batch ...*activity.Activity) {
	out, err := e.Process(context.Background(), s, batch, nil)
	require.NoError(s.t, err)
	s.keep(out)
}

func (s *shelf) keep(out detect.Outcome) {
	for k, b := range out.Changed {
		data, err := detect.EncodeBook(b)
		require.NoError(s.t, err)
		s.books[k] = data
	}
	for _, r := range out.Reviews {
		if before := s.reviews[r.Book]; r.Overflowed { // what was found before stands
			s.last = r
			for _, f := range before.Findings {
				if !slices.ContainsFunc(r.Findings, func(o detect.Finding) bool { return o.Key == f.Key }) {
					r.Findings = append(r.Findings, f)
				}
			}
		}
		s.reviews[r.Book] = r
	}
}

// live returns what stands after the last review of every book.
func (s *shelf) live() ([]detect.Finding, []detect.FailedAttack) {
	var findings []detect.Finding
	var failed []detect.FailedAttack
	for _, r := range s.reviews {
		findings = append(findings, r.Findings...)
		failed = append(failed, r.Failed...)
	}
	slices.SortFunc(findings, func(a, b detect.Finding) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(failed, func(a, b detect.FailedAttack) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Source, b.Source), cmp.Compare(a.AccountID, b.AccountID))
	})
	return findings, failed
}

func (s *shelf) findings(rule string) []detect.Finding {
	all, _ := s.live()
	return slices.DeleteFunc(all, func(f detect.Finding) bool { return f.Rule != rule })
}

// Agents of the tests.
const (
	chromeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
	firefoxMac    = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.14; rv:69.0) Gecko/20100101 Firefox/69.0"
	safariPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1"
	axios         = "axios/1.6.2"
)

// place is where a test's activity comes from.
type place struct {
	address string
	number  uint32
	owner   string
	country string
	kind    activity.NetworkKind
}

// The networks are made up, on documentation addresses and private AS numbers.
var (
	home    = place{"192.0.2.10", 64501, "Hometown Cable", "NL", activity.NetworkConsumer}
	office  = place{"198.51.100.20", 64502, "Office Fibre", "NL", activity.NetworkConsumer}
	carrier = place{"192.0.2.200", 64503, "Example Mobile", "NL", activity.NetworkMobile}
	hosting = place{"203.0.113.66", 64510, "Rented Boxes", "US", activity.NetworkHosting}
	abroad  = place{"2001:db8:77::5", 64511, "Faraway Telecom", "BR", activity.NetworkConsumer}
	servers = place{"2001:db8:88::1", 8075, "Microsoft", "IE", activity.NetworkMicrosoft}
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// record is a made-up activity of an account of contoso.example.
func record(user string, at time.Time, from place, edit ...func(*activity.Activity)) *activity.Activity {
	a := &activity.Activity{
		AccountID: typeid.Derived("account", user), Source: activity.SourceUnifiedAudit, OccurredAt: at,
		Operation: "MailItemsAccessed", Result: activity.ResultSuccess,
		Actor:   activity.Actor{Kind: activity.ActorUser, Principal: user + "@contoso.example"},
		Country: from.country, Network: activity.Network{Number: from.number, Owner: from.owner, Kind: from.kind},
		UserAgent: chromeWindows,
		Raw:       []byte(`{"OrganizationName":"contoso.onmicrosoft.example"}`),
	}
	if from.address != "" {
		a.Address = netip.MustParseAddr(from.address)
	}
	for _, f := range edit {
		f(a)
	}
	if a.VendorID == "" {
		a.VendorID = fmt.Sprint(user, a.Operation, at.UnixNano(), from.address, a.UserAgent, a.SessionID, a.ErrorCode, a.Target, a.Parameters, a.Modified)
	}
	a.Identify("org_1", "tenant_1")
	return a
}

func signIn(a *activity.Activity) {
	a.Operation, a.SignIn, a.Interactive = "UserLoggedIn", true, true
}

func failure(code int) func(*activity.Activity) {
	return func(a *activity.Activity) {
		a.Operation, a.SignIn, a.Interactive = "UserLoginFailed", true, true
		a.Result, a.ErrorCode = activity.SignInError(code).Result, code
	}
}

func agent(s string) func(*activity.Activity) { return func(a *activity.Activity) { a.UserAgent = s } }

func session(s string) func(*activity.Activity) {
	return func(a *activity.Activity) { a.SessionID = s }
}

func device(s string) func(*activity.Activity) { return func(a *activity.Activity) { a.Device.ID = s } }

func act(operation string, parameters ...string) func(*activity.Activity) {
	return func(a *activity.Activity) {
		a.Operation = operation
		for i := 0; i < len(parameters); i += 2 {
			a.Parameters = append(a.Parameters, activity.Parameter{Name: parameters[i], Value: parameters[i+1]})
		}
	}
}

func change(pairs ...string) func(*activity.Activity) {
	return func(a *activity.Activity) {
		for i := 0; i < len(pairs); i += 2 {
			a.Modified = append(a.Modified, activity.Modification{Name: pairs[i], New: pairs[i+1]})
		}
	}
}

func target(s string) func(*activity.Activity) { return func(a *activity.Activity) { a.Target = s } }

// habit is ten working days of a user at one place.
func habit(user string, from place, edit ...func(*activity.Activity)) []*activity.Activity {
	var all []*activity.Activity
	for d := range 10 {
		all = append(all, record(user, monday.AddDate(0, 0, d-14), from, append([]func(*activity.Activity){signIn}, edit...)...))
	}
	return all
}

// run feeds the records to the standard engine at once and returns what stands.
func run(t *testing.T, records ...[]*activity.Activity) *shelf {
	t.Helper()
	s := newShelf(t)
	s.process(detect.Standard(), slices.Concat(records...)...)
	return s
}
