package explorer

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(Config{Endpoint: "../graphql", DefaultQuery: `{ a(b: "</div><script>alert(1)</script>") }`}).ServeHTTP(w, r)
	return w
}

func TestPageWorksUnderAnyPrefix(t *testing.T) {
	t.Parallel()
	references := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	for _, prefix := range []string{"/explorer/", "/deep/below/explorer/", "/"} {
		w := get(t, prefix)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
		for _, reference := range references.FindAllStringSubmatch(w.Body.String(), -1) {
			if reference[1] == "data:," {
				continue
			}
			require.NotContains(t, reference[1], "/", "a reference that leaves the page's folder")
			require.Equal(t, http.StatusOK, get(t, prefix+reference[1]).Code, reference[1])
		}
	}
	w := get(t, "/deep/explorer")
	require.Equal(t, http.StatusPermanentRedirect, w.Code)
	require.Equal(t, "./explorer/", w.Header().Get("Location"), "relative, for a proxy's sake")
	require.Equal(t, http.StatusNotFound, get(t, "/explorer/../../explorer.go").Code)
}

func TestServersWordsAreEscaped(t *testing.T) {
	t.Parallel()
	page := get(t, "/explorer/").Body.String()
	require.NotContains(t, page, "<script>alert")
	require.Contains(t, page, `data-endpoint="../graphql"`)
	require.Contains(t, page, "&lt;script&gt;alert")
}

// No file may make the browser load from another host. Links a person may
// click and the names of XML namespaces are not loaded.
func TestNothingIsLoadedFromElsewhere(t *testing.T) {
	t.Parallel()
	loads := regexp.MustCompile(`(?i)(?:\bsrc\s*[=:]\s*|@import\s*|\b(?:url|import|fetch|importScripts)\s*\(\s*|` +
		`new (?:Worker|WebSocket|EventSource)\(\s*|<link[^>]+href=)["'` + "`" + `]?(?:https?:)?//`)
	require.True(t, loads.MatchString(`fetch("https://cdn.example/x")`), "the expression must find what it is for")
	sourceMap := regexp.MustCompile(`sourceMappingURL`)
	total := 0
	err := fs.WalkDir(dist, "dist", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := dist.ReadFile(path)
		if err != nil {
			return err
		}
		total += len(content)
		if strings.HasSuffix(path, ".txt") {
			return nil
		}
		require.Empty(t, loads.FindAllString(string(content), -1), path)
		require.False(t, sourceMap.Match(content), path)
		return nil
	})
	require.NoError(t, err)
	require.Less(t, total, 3<<20, "the explorer should stay small")
	page := get(t, "/explorer/")
	require.NotContains(t, page.Body.String(), "http")
	require.NotRegexp(t, `<script>|<style|\son\w+=|style=`, page.Body.String())
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{
		"/explorer/": "text/html", "/explorer/explorer.js": "text/javascript", "/explorer/explorer.css": "text/css",
		"/explorer/THIRD_PARTY_LICENCES.txt": "text/plain",
	} {
		w := get(t, path)
		require.Equal(t, contentType+"; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(t, ContentSecurityPolicy, w.Header().Get("Content-Security-Policy"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "no-cache", w.Header().Get("Cache-Control"))
	}
	require.NotContains(t, ContentSecurityPolicy, "unsafe")
	post := httptest.NewRecorder()
	Handler(Config{}).ServeHTTP(post, httptest.NewRequest(http.MethodPost, "/explorer/", nil))
	require.Equal(t, http.StatusMethodNotAllowed, post.Code)
}

func TestCaching(t *testing.T) {
	t.Parallel()
	script := regexp.MustCompile(`explorer\.js\?v=\w+`).FindString(get(t, "/explorer/").Body.String())
	plain := get(t, "/explorer/"+script)
	require.Contains(t, plain.Header().Get("Cache-Control"), "immutable")
	require.Equal(t, "no-cache", get(t, "/explorer/explorer.js?v=another").Header().Get("Cache-Control"))

	zipped := get(t, "/explorer/"+script, "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
	require.Less(t, zipped.Body.Len(), plain.Body.Len()/2)
	r, err := gzip.NewReader(zipped.Body)
	require.NoError(t, err)
	unzipped, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain.Body.Bytes(), unzipped))
	require.Empty(t, get(t, "/explorer/"+script, "Accept-Encoding", "gzip;q=0").Header().Get("Content-Encoding"))

	again := get(t, "/explorer/"+script, "If-None-Match", plain.Header().Get("ETag"))
	require.Equal(t, http.StatusNotModified, again.Code)
	require.Zero(t, again.Body.Len())
}
