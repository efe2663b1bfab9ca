package follow

import (
	"errors"
	"net/http"
)

// maxRedirects is the maximum number of redirects that are followed for one request.
const maxRedirects = 5

// checkRedirect follows a bounded number of redirects. Configured headers and credentials go only to the configured server.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if !crossesOrigin(r, via) {
		return checkRedirectCount(via)
	}
	kept := http.Header{}
	for _, name := range []string{"User-Agent", "Prefer", "If-None-Match", "Accept-Encoding", "Cache-Control"} {
		if value := r.Header.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	r.Header = kept
	return checkRedirectCount(via)
}

// checkTokenRedirect keeps the token of a registry's token service from other servers. The oras client does so only for the
// first redirect.
func checkTokenRedirect(r *http.Request, via []*http.Request) error {
	if crossesOrigin(r, via) {
		r.Header.Del("Authorization")
	}
	return checkRedirectCount(via)
}

func checkRedirectCount(via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errors.New("the server redirects too often")
	}
	return nil
}

// crossesOrigin reports whether a redirect leads away from the server that was asked.
func crossesOrigin(r *http.Request, via []*http.Request) bool {
	return r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme
}
