package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"net/http"
	"strings"
)

var (
	//go:embed docs.js
	docsScript string
	//go:embed docs.css
	docsStyle string
)

// DocsHandler serves one page that shows the OpenAPI document at specURL, e.g. "/openapi.json". Script and style are
// in the page and named by hash in its Content-Security-Policy; nothing is loaded from elsewhere.
func DocsHandler(specURL string) http.Handler {
	page := []byte(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference</title>
<style>` + docsStyle + `</style>
</head>
<body data-spec="` + html.EscapeString(specURL) + `">
<main id="docs" aria-live="polite"><p>Loading…</p></main>
<noscript><p>The document itself is at <a href="` + html.EscapeString(specURL) + `">` + html.EscapeString(specURL) + `</a>.</p></noscript>
<script>` + docsScript + `</script>
</body>
</html>
`)
	policy := strings.Join([]string{
		"default-src 'none'", "script-src " + hashSource(docsScript), "style-src " + hashSource(docsStyle),
		"connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for _, base := range baseHeaders {
			h.Set(base.name, base.value)
		}
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
}

// hashSource is a CSP Level 3 hash source.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
