package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printable keeps text from logs, files' names and arguments from steering the
// terminal it ends up on: it writes what is no character to look at (escapes,
// what turns the direction of text) as \u and its number. Within JSON, that
// means the same as the character.
type printable struct{ w io.Writer }

// Write writes whole texts: a character may not be spread over two calls.
func (p printable) Write(b []byte) (int, error) {
	var out strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\n' || r == '\t' || unicode.IsGraphic(r) && r != unicode.ReplacementChar:
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	if _, err := io.WriteString(p.w, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// oneLine keeps a name's line breaks from beginning a line of ours.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", `\u000a`) }
