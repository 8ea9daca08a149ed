package wire

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// Invalid is the error of a value that can't be right.
func Invalid(doing, field, message string) *psa.Error {
	return &psa.Error{Reason: psa.ReasonInvalid, Doing: doing, Field: field, Message: message}
}

// Entered takes over what a person entered in a vendor's form, without the spaces
// that copying brings. The error names a field that is missing.
func Entered(form []psa.Field, fields map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, f := range form {
		out[f.Name] = strings.TrimSpace(fields[f.Name])
		if out[f.Name] == "" && !f.Optional {
			return nil, Invalid("connect", f.Name, "enter the "+strings.ToLower(f.Label)+": "+f.Help)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := out[name]; !ok {
			return nil, Invalid("connect", name, "there is no such field")
		}
	}
	return out, nil
}

// Site reads an address that a person entered, with or without a scheme. The
// problem is "" where there is none. Credentials go there with every call: they
// go over TLS, except to this machine.
func Site(entered string) (site *url.URL, problem string) {
	const hint = "enter the host that people sign in at"
	if !strings.Contains(entered, "://") {
		entered = "https://" + entered
	}
	u, err := url.Parse(entered)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, hint
	}
	u.Path, u.RawPath, u.Host = "", "", strings.ToLower(u.Host)
	addr, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, "it must be reached over https: the credentials go there with every call"
	}
	return u, ""
}

// TooLong refuses a text of more characters than fit; 0 is no limit.
func TooLong(doing, field, text string, most int) error {
	if n := utf8.RuneCountInString(text); most > 0 && n > most {
		return Invalid(doing, field, fmt.Sprintf("%d characters are too many: %d are allowed", n, most))
	}
	return nil
}

// Printable is a text without the control characters that no PSA shows and some
// refuse.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// Number checks that an id is one: ids stand bare in queries and addresses.
func Number(doing, field, id string) (int, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < 0 {
		return 0, Invalid(doing, field, fmt.Sprintf("%q is no id of this PSA: it is a number", id))
	}
	return int(n), nil
}

// FieldValue reads the value of a custom field as its kind wants it.
func FieldValue(doing string, d psa.SettingDescription, text string) (any, error) {
	switch d.Kind {
	case psa.KindNumber, psa.KindChoice:
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			return n, nil
		}
		if d.Kind == psa.KindChoice {
			return text, nil
		}
		return nil, Invalid(doing, d.Label, fmt.Sprintf("%q is no whole number", text))
	case psa.KindYesNo:
		yes, err := strconv.ParseBool(text)
		if err != nil {
			return nil, Invalid(doing, d.Label, fmt.Sprintf("%q is neither true nor false", text))
		}
		return yes, nil
	case psa.KindText:
	}
	return text, nil
}
