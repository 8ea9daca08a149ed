// Package literal makes text that attackers may have written stand as it is,
// wherever it is shown: on a ticket, in a mail.
//
// What may not live here: what a text says, how long it may be, and the markup
// of whatever shows it.
package literal

import (
	"regexp"
	"strings"
	"unicode"
)

// Text makes text from logs stand as it is: no control or direction
// characters, nothing that becomes a link.
func Text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d': // joins emoji
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return defang(s)
}

var (
	// schemed is a URL with its host: everything up to what ends a host.
	schemed = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]{1,20})://([^\s/?#"'<>]*)`)
	// bareHost is what programs make links of without a scheme. An address of
	// mail is none: people have to recognise it.
	bareHost = regexp.MustCompile(`(?i)[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}.-]+|[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*\.(?:xn--[a-z0-9-]+|\p{L}{2,})`)
	// site is what becomes a link whatever comes behind.
	site = regexp.MustCompile(`(?i)(www)\.`)
	// scripted is a link without an authority.
	scripted = regexp.MustCompile(`(?i)(javascript|vbscript|mailto|callto|\bdata|\bfile|\btel|\bsms):`)
	// share is a path to another machine.
	share = regexp.MustCompile(`\\\\([\p{L}\p{N}])`)
)

// defang keeps URLs readable and unclickable, in the way the field does:
// hxxps://evil[.]example/path.
func defang(s string) string {
	s = schemed.ReplaceAllStringFunc(s, func(m string) string {
		scheme, host, _ := strings.Cut(m, "://")
		scheme = strings.NewReplacer("tt", "xx", "TT", "XX").Replace(scheme)
		return scheme + "[://]" + strings.ReplaceAll(host, ".", "[.]")
	})
	s = bareHost.ReplaceAllStringFunc(s, func(m string) string {
		if strings.Contains(m, "@") {
			return m
		}
		return strings.ReplaceAll(m, ".", "[.]")
	})
	s = site.ReplaceAllString(s, "$1[.]")
	s = share.ReplaceAllString(s, `[\\]$1`)
	return scripted.ReplaceAllString(s, "$1[:]")
}
