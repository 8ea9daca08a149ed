// Package psatest is the conformance suite of PSA adapters: what every one of
// them must do, tried over HTTP against a PSA that behaves, with a proxy of the
// suite's own in between that does not.
//
// What may not live here: knowledge of any one vendor.
package psatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// Subject is what the suite tries.
type Subject struct {
	Vendor psa.Vendor
	Now    func() time.Time
	// URL is where the PSA is; Fields what it takes to connect to it at an address.
	URL    string
	Fields func(url string) map[string]string
	// Contract watches the calls and their answers; nil for nothing.
	Contract http.RoundTripper
	// CompanyID is a company tickets can be made for; CompanyName part of its
	// name; MicrosoftTenant one that the PSA knows it by, "" where PSAs of this
	// kind know none.
	CompanyID, CompanyName, MicrosoftTenant string
	// Count is how many tickets carry a reference, as the PSA itself knows.
	Count func(reference string) int
	// Many is how many notes make the adapter turn pages.
	Many int
	// Writes tells the calls that change tickets from those that ask; nil: by
	// the method.
	Writes func(r *http.Request) bool
	// Deny takes a right away, and returns what gives it back.
	Deny func() (restore func())
	// Person does what people do in the PSA's own pages.
	Person Person
	// Deliver makes callbacks until ctx ends.
	Deliver func(ctx context.Context)
	// Receivers are the addresses the PSA has active callbacks to.
	Receivers func() []string
}

// Person is a technician at work. What PSAs of a kind have not is nil.
type Person struct {
	Close  func(id string) error
	Note   func(id, text string) error // that the company's people see
	Work   func(id, text string) error // entered as working time
	Merge  func(child, parent string) error
	Delete func(id string) error
}

// suite is a run.
type suite struct {
	Subject

	proxy *proxy
	psa   psa.Adapter
}

// Run tries the subject.
func Run(t *testing.T, s Subject) {
	t.Helper()
	p := newProxy(t, s.URL, s.Writes)
	run := &suite{Subject: s, proxy: p}
	run.psa = run.open(t, p.url, nil)
	for _, part := range []struct {
		name string
		try  func(t *testing.T)
	}{
		{"Fields", run.fields},
		{"Describe", run.describe},
		{"Identify", run.identify},
		{"Verify", run.verify},
		{"MissingRight", run.missingRight},
		{"Companies", run.companies},
		{"Choices", run.choices},
		{"Ticket", run.ticket},
		{"Absent", run.absent},
		{"Notes", run.notes},
		{"PublicNote", run.publicNote},
		{"People", run.people},
		{"Merge", run.merge},
		{"Delete", run.deleted},
		{"TextLimits", run.textLimits},
		{"HostileText", run.hostileText},
		{"Paging", run.paging},
		{"Callbacks", run.callbacks},
		{"EveryStatus", run.everyStatus},
		{"RetryAfter", run.retryAfter},
		{"DroppedBefore", run.droppedBefore},
		{"DroppedAfterCommit", run.droppedAfterCommit},
		{"NoAnswerInTime", run.noAnswerInTime},
		{"NobodyThere", run.nobodyThere},
		{"Garbage", run.garbage},
		{"WrongSecret", run.wrongSecret},
		{"Redirect", run.redirect},
	} {
		t.Run(part.name, part.try)
	}
}

// open makes an adapter that reaches the PSA at an address. Change changes what
// is entered.
func (s *suite) open(t *testing.T, url string, change func(map[string]string)) psa.Adapter {
	t.Helper()
	fields := s.Fields(url)
	if change != nil {
		change(fields)
	}
	a, err := s.Vendor.New(fields, &http.Client{Transport: s.Contract}, s.Now)
	require.NoError(t, err)
	return a
}

// secrets must stand in no error.
func (s *suite) secrets() []string {
	var out []string
	fields := s.Fields(s.URL)
	for _, f := range s.Vendor.Fields {
		if f.Secret {
			out = append(out, fields[f.Name])
		}
	}
	return out
}

// fails returns an adapter's error, which must be a *psa.Error without a secret.
func (s *suite) fails(t *testing.T, err error) *psa.Error {
	t.Helper()
	require.Error(t, err)
	e, ok := errors.AsType[*psa.Error](err)
	require.True(t, ok, "no *psa.Error: %T %v", err, err)
	require.NotEmpty(t, e.Doing)
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		for _, secret := range s.secrets() {
			require.NotContains(t, fmt.Sprintf("%v %+v", cause, cause), secret, "an error holds a secret")
		}
	}
	return e
}

// fresh is a reference no ticket has.
func fresh() string { return fmt.Sprintf("psatest-%016x", rand.Uint64()) }

// settings are the required ones of a ticket: of each the first choice that is
// active, does not close, and has choices of what depends on it.
func (s *suite) settings(t *testing.T) map[psa.Setting]string {
	t.Helper()
	out := map[psa.Setting]string{}
	for _, d := range s.psa.Describe().Settings {
		if d.Required && d.Use == psa.UseTicket {
			out[d.Setting] = s.choose(t, d, out[d.Within], func(psa.Choice) bool { return true })
		}
	}
	own, err := s.psa.MandatoryFields(t.Context(), out)
	require.NoError(t, err)
	for _, d := range own {
		switch d.Kind {
		case psa.KindChoice:
			out[d.Setting] = s.choose(t, d, out[d.Within], func(psa.Choice) bool { return true })
		case psa.KindNumber:
			out[d.Setting] = "7"
		case psa.KindYesNo:
			out[d.Setting] = "true"
		case psa.KindText:
			out[d.Setting] = "a text"
		}
	}
	return out
}

func (s *suite) choose(t *testing.T, d psa.SettingDescription, within string, fit func(psa.Choice) bool) string {
	t.Helper()
	if d.Kind != psa.KindChoice {
		return "24"
	}
	all, err := s.psa.Choices(t.Context(), d.Setting, within)
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(c psa.Choice) bool { return !c.Inactive && !c.Closed && fit(c) })
	require.GreaterOrEqual(t, i, 0, "%s: nothing to choose", d.Label)
	return all[i].ID
}

// noteSettings are the required ones of a note that these people read.
func (s *suite) noteSettings(t *testing.T, ticket map[psa.Setting]string, shown psa.Visibility) map[psa.Setting]string {
	t.Helper()
	out := maps.Clone(ticket)
	for _, d := range s.psa.Describe().Settings {
		if d.Required && d.Use == psa.UseNote {
			out[d.Setting] = s.choose(t, d, out[d.Within], func(c psa.Choice) bool { return c.Shown == "" || c.Shown == shown })
		}
	}
	maps.DeleteFunc(out, func(k psa.Setting, _ string) bool { _, ofTicket := ticket[k]; return ofTicket })
	return out
}

func (s *suite) newTicket(t *testing.T) psa.NewTicket {
	t.Helper()
	return psa.NewTicket{Reference: fresh(), Title: "A title", Description: "A description", CompanyID: s.CompanyID, Settings: s.settings(t)}
}

func (s *suite) newNote(t *testing.T, text string) psa.NewNote {
	t.Helper()
	return psa.NewNote{Text: text, Internal: true, Settings: s.noteSettings(t, s.settings(t), psa.VisibleInternal)}
}

func (s *suite) made(t *testing.T) psa.Ticket {
	t.Helper()
	made, err := s.psa.CreateTicket(t.Context(), s.newTicket(t))
	require.NoError(t, err)
	return made
}
