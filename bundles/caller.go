package bundles

import (
	"context"
	"errors"
	"net/http"

	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins/rest"
)

// maxRedirects is how often a server may send its callers on.
const maxRedirects = 5

// caller sends requests to a service with its TLS, its credentials (those of OPA's plugins) and its headers.
type caller struct {
	client  *http.Client
	plugin  rest.HTTPAuthPlugin
	url     string
	headers map[string]string
	secrets []string // the values of the credentials
}

// caller makes one. Credentials that cannot be read are told now. patient waits for the head of an answer without limit.
func (s *Service) caller(patient bool) (*caller, error) {
	c := &caller{secrets: secretsOf(s.Config)}
	service, err := rest.New(s.Config, map[string]*keys.Config{}, rest.Logger(logging.NewNoOpLogger()), rest.Name("bundle"))
	if err != nil {
		return nil, c.hush(err)
	}
	if patient {
		service = service.SetResponseHeaderTimeout(new(int64))
	}
	cfg := service.Config()
	if c.plugin, err = cfg.AuthPlugin(service.AuthPluginLookup()); err != nil {
		return nil, c.hush(err)
	}
	if c.client, err = c.plugin.NewClient(*cfg); err != nil {
		return nil, c.hush(err)
	}
	c.client.CheckRedirect = redirected
	c.url, c.headers = cfg.URL, cfg.Headers
	return c, nil
}

// get asks for a path below the service's url.
func (c *caller) get(ctx context.Context, path string, headers map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "wardkeeper")
	for _, set := range []map[string]string{c.headers, headers} {
		for name, value := range set {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
	}
	if err := c.plugin.Prepare(r); err != nil {
		return nil, c.hush(err)
	}
	plainly(r)
	return c.client.Do(r)
}

// plainly asks for the file as it is, and for no copy that a cache takes to be good: it may have been cut off. It comes
// after what signs a request, since proxies change these headers.
func plainly(r *http.Request) {
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Cache-Control", "no-cache")
}

// bounded follows a server that sends its callers on, but not without end.
func bounded(via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errors.New("the server sends its callers on without end")
	}
	return nil
}

// elsewhere says whether a request has come to another server than the one that was asked.
func elsewhere(r *http.Request, via []*http.Request) bool {
	return r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme
}

// redirected keeps credentials and whatever else is configured from other servers.
func redirected(r *http.Request, via []*http.Request) error {
	if !elsewhere(r, via) {
		return bounded(via)
	}
	kept := http.Header{}
	for _, name := range []string{"User-Agent", "Prefer", "If-None-Match", "Accept-Encoding", "Cache-Control"} {
		if value := r.Header.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	r.Header = kept
	return bounded(via)
}
