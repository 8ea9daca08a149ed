package psatest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// fields tries what a person enters.
func (s *suite) fields(t *testing.T) {
	require.NotEmpty(t, s.Vendor.Kind)
	secrets := 0
	for _, f := range s.Vendor.Fields {
		require.NotEmpty(t, f.Label, f.Name)
		require.NotEmpty(t, f.Help, f.Name)
		if f.Secret {
			secrets++
		}
		for _, wrong := range []string{"", " \t"} {
			fields := s.Fields(s.URL)
			fields[f.Name] = wrong
			_, err := s.Vendor.New(fields, &http.Client{}, s.Now)
			if f.Optional {
				require.NoError(t, err, f.Name)
				continue
			}
			e := s.fails(t, err)
			require.Equal(t, psa.ReasonInvalid, e.Reason)
			require.Equal(t, f.Name, e.Field)
		}
	}
	require.Positive(t, secrets)
	fields := s.Fields(s.URL)
	for name, value := range fields {
		fields[name] = " " + value + "\n" // as copying brings it
	}
	a, err := s.Vendor.New(fields, &http.Client{Transport: s.Contract}, s.Now)
	require.NoError(t, err)
	_, err = a.Identify(t.Context())
	require.NoError(t, err)
	fields["nonsense"] = "x"
	_, err = s.Vendor.New(fields, &http.Client{}, s.Now)
	require.Equal(t, "nonsense", s.fails(t, err).Field)
}

func (s *suite) describe(t *testing.T) {
	d := s.psa.Describe()
	require.Equal(t, s.Vendor.Name, d.Name)
	require.Positive(t, d.Limits.Parallel)
	require.Positive(t, d.Limits.PerMinute)
	require.NotEmpty(t, d.Markup)
	require.GreaterOrEqual(t, d.ReferenceLimit, 40, "a reference must fit")
	known := map[psa.Setting]bool{}
	for _, x := range d.Settings {
		require.NotEmpty(t, x.Label, x.Setting)
		require.NotEmpty(t, x.Kind, x.Setting)
		require.NotEmpty(t, x.Use, x.Setting)
		require.True(t, x.Within == "" || known[x.Within], "%s depends on what comes after it", x.Setting)
		known[x.Setting] = true
	}
	require.True(t, known[psa.SettingStatus])
}

func (s *suite) identify(t *testing.T) {
	one, err := s.psa.Identify(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, one.Host)
	require.NotEmpty(t, one.Account)
	two, err := s.open(t, s.proxy.url, nil).Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, two, "another connection to the same instance")
}

func (s *suite) verify(t *testing.T) {
	rights, err := s.psa.Verify(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, rights)
	for _, r := range rights {
		require.NotEqual(t, psa.RightMissing, r.State, "%s: %s", r.Name, r.Detail)
		require.NotEmpty(t, r.State, r.Name)
		require.NotEmpty(t, r.Grant, "%s: where it is granted", r.Name)
	}
}

// missingRight sees that one that is missing is named, and the others are not.
func (s *suite) missingRight(t *testing.T) {
	restore := s.Deny()
	rights, err := s.open(t, s.proxy.url, nil).Verify(t.Context())
	restore()
	require.NoError(t, err)
	states := map[psa.RightState]int{}
	for _, r := range rights {
		states[r.State]++
		if r.State == psa.RightMissing {
			require.NotEmpty(t, r.Grant)
		}
	}
	require.Positive(t, states[psa.RightMissing])
	require.Positive(t, states[psa.RightGranted], "one pass tells all")
}

func (s *suite) companies(t *testing.T) {
	c, err := s.psa.Company(t.Context(), s.CompanyID)
	require.NoError(t, err)
	require.True(t, c.Active)
	require.Contains(t, c.Name, s.CompanyName)
	page, _, err := s.psa.Companies(t.Context(), s.CompanyName, "")
	require.NoError(t, err)
	require.NotEmpty(t, page)
	known := false
	for _, x := range page {
		require.Contains(t, strings.ToLower(x.Name), strings.ToLower(s.CompanyName))
		for _, id := range x.MicrosoftTenants {
			known = known || id == s.MicrosoftTenant
		}
	}
	require.Equal(t, s.MicrosoftTenant != "", known, "the company's Microsoft tenant")

	seen, pages := map[string]bool{}, 0
	for after := ""; ; pages++ {
		page, next, err := s.psa.Companies(t.Context(), "", after)
		require.NoError(t, err)
		for _, x := range page {
			require.False(t, seen[x.ID], "company %s twice", x.ID)
			seen[x.ID] = true
		}
		if after = next; next == "" {
			break
		}
	}
	require.True(t, seen[s.CompanyID])
	require.Positive(t, pages, "the instance has more companies than a page")

	page, next, err := s.psa.Companies(t.Context(), `no" or "such`, "")
	require.NoError(t, err, "text is no query")
	require.Empty(t, page)
	require.Empty(t, next)
	_, _, err = s.psa.Companies(t.Context(), "", "nonsense")
	require.Equal(t, psa.ReasonInvalid, s.fails(t, err).Reason)
	_, err = s.psa.Company(t.Context(), "999999")
	require.Equal(t, psa.ReasonNotFound, s.fails(t, err).Reason)
	_, err = s.psa.Company(t.Context(), `1" or 1=1`)
	s.fails(t, err)
}

func (s *suite) choices(t *testing.T) {
	chosen := map[psa.Setting]string{}
	for _, d := range s.psa.Describe().Settings {
		if d.Kind != psa.KindChoice {
			continue
		}
		all, err := s.psa.Choices(t.Context(), d.Setting, chosen[d.Within])
		require.NoError(t, err, d.Setting)
		require.NotEmpty(t, all, d.Setting)
		for _, c := range all {
			require.NotEmpty(t, c.ID)
			require.NotEmpty(t, c.Name)
		}
		chosen[d.Setting] = s.choose(t, d, chosen[d.Within], func(psa.Choice) bool { return true })
		if d.Within != "" {
			_, err = s.psa.Choices(t.Context(), d.Setting, "999999")
			e := s.fails(t, err)
			require.Equal(t, psa.ReasonInvalid, e.Reason, "%s within what is not there", d.Setting)
			require.Equal(t, string(d.Within), e.Field)
		}
	}
	_, err := s.psa.Choices(t.Context(), "NO_SUCH_SETTING", "")
	require.Equal(t, psa.ReasonInvalid, s.fails(t, err).Reason)
}
