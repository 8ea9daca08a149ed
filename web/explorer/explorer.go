// Package explorer serves the GraphQL explorer: a page that asks for an API
// key and then lets a person write queries with completion and documentation.
//
// Its assets are built with npm (README.md beside this file), committed in
// dist and embedded: nothing is loaded from any other host. What may not live
// here: the API itself, authentication, knowledge of the schema.
package explorer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

// Config is what the page is told.
type Config struct {
	// Endpoint is the URL the page posts operations to: same origin, absolute
	// ("/cairn/graphql") or relative to the page ("../graphql").
	Endpoint string
	// DefaultQuery is what the editor holds at first; empty for GraphiQL's own greeting.
	DefaultQuery string
}

// ContentSecurityPolicy is the policy the page is served under: scripts and
// styles from our own host only, none inline. One thing is lost by it: the
// style element that stops the page behind an open dialog from scrolling.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is one embedded file, ready to be sent.
type asset struct {
	contentType string
	version     string // of the content; also its entity tag
	plain       []byte
	zipped      []byte
}

// page is the document around the editor; the server's words are escaped into it.
var page = template.Must(template.ParseFS(dist, "dist/index.html"))

// Handler serves the explorer under any path that ends in a slash
// ("/explorer/"), its assets beside it, and sends a path without the slash
// there. All its links are relative, so a proxy may put it anywhere: no prefix
// need be stripped or told.
func Handler(config Config) http.Handler {
	assets := map[string]asset{}
	for name, contentType := range map[string]string{
		"explorer.js":              "text/javascript; charset=utf-8",
		"explorer.css":             "text/css; charset=utf-8",
		"THIRD_PARTY_LICENCES.txt": "text/plain; charset=utf-8",
	} {
		content, err := dist.ReadFile("dist/" + name)
		if err != nil {
			panic(fmt.Sprintf("explorer: built without dist/%s: %v", name, err))
		}
		assets[name] = newAsset(contentType, content)
	}
	var index bytes.Buffer
	err := page.Execute(&index, struct{ Endpoint, DefaultQuery, ScriptVersion, StyleVersion string }{
		config.Endpoint, config.DefaultQuery, assets["explorer.js"].version, assets["explorer.css"].version,
	})
	if err != nil {
		panic(fmt.Sprintf("explorer: built with a broken page: %v", err))
	}
	assets[""] = newAsset("text/html; charset=utf-8", index.Bytes())
	return handler{assets}
}

// newAsset compresses once what is sent many times. Neither write can fail: both go to memory.
func newAsset(contentType string, content []byte) asset {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(content)
	_ = w.Close()
	sum := sha256.Sum256(content)
	return asset{contentType, hex.EncodeToString(sum[:8]), content, zipped.Bytes()}
}

type handler struct{ assets map[string]asset }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := ""
	if !strings.HasSuffix(r.URL.Path, "/") {
		name = path.Base(r.URL.Path)
	}
	a, found := h.assets[name]
	switch {
	case !found && strings.Contains(name, "."):
		http.NotFound(w, r)
		return
	case !found:
		// http.Redirect would make the address absolute, and wrong behind a proxy.
		w.Header().Set("Location", "./"+name+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	a.serve(w, r)
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Security-Policy", ContentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Vary", "Accept-Encoding")
	if r.URL.Query().Get("v") == a.version {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	content, tag := a.plain, `"`+a.version+`"`
	if acceptsGzip(r) {
		content, tag = a.zipped, `"`+a.version+`-gzip"`
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // the reader went away: nobody to tell
	}
}

func acceptsGzip(r *http.Request) bool {
	for encoding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(encoding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.TrimSpace(quality) != "q=0"
		}
	}
	return false
}
