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
}

// caller makes one. Credentials that cannot be read are told now. patient waits for the head of an answer without limit.
func (s *Service) caller(patient bool) (*caller, error) {
	service, err := rest.New(s.Config, map[string]*keys.Config{}, rest.Logger(logging.NewNoOpLogger()), rest.Name("bundle"))
	if err != nil {
		return nil, withoutURL(err)
	}
	if patient {
		service = service.SetResponseHeaderTimeout(new(int64))
	}
	cfg := service.Config()
	plugin, err := cfg.AuthPlugin(service.AuthPluginLookup())
	if err != nil {
		return nil, withoutURL(err)
	}
	client, err := plugin.NewClient(*cfg)
	if err != nil {
		return nil, withoutURL(err)
	}
	client.CheckRedirect = redirected
	return &caller{client: client, plugin: plugin, url: cfg.URL, headers: cfg.Headers}, nil
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
		return nil, err
	}
	return c.client.Do(r)
}

// redirected keeps credentials and whatever else is configured from other servers.
func redirected(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errors.New("the server sends its callers on without end")
	}
	if r.URL.Host == via[0].URL.Host && r.URL.Scheme == via[0].URL.Scheme {
		return nil
	}
	kept := http.Header{}
	for _, name := range []string{"User-Agent", "Prefer", "If-None-Match"} {
		if value := r.Header.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	r.Header = kept
	return nil
}
