package follow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Origin is an origin made ready to be followed.
type Origin struct {
	source    source
	keyring   *keyring
	verifying func() *bundles.Verification // what counts now: it is asked anew for each attempt
	stateDir  string
	maxAge    time.Duration
	limits    bundles.Limits
	judging   time.Duration // how long a gate may take: a policy without end must not keep the next ones out
}

// maxJudging is more than a gate takes with all the golden decisions that a bundle may bring.
const maxJudging = 2 * time.Minute

// Open gets and opens the bundle once, without following it, and judges it as a follower would. Nothing is written, also
// not to the state directory. Its error is a [*bundles.Refusal].
func (f *Origin) Open(ctx context.Context, entrypoint string, schema []byte) (*bundles.Revision, error) {
	var kept keeper
	if f.stateDir != "" {
		var err error
		if kept.state, err = readRecord(f.stateDir); err != nil {
			return nil, unreached(err)
		}
	}
	found, err := f.source.fetch(ctx, seen{})
	if err != nil {
		refusal := bundles.AsRefusal(err, bundles.Unavailable)
		refusal.Err = fmt.Errorf("policies %s: %w", f.source, err)
		return nil, refusal
	}
	return bundles.Open(ctx, bundles.Config{
		Archive: found.archive, Raw: found.raw, Source: f.source.String(), Entrypoint: entrypoint, Schema: schema, Verification: f.verifying(),
		Limits: f.limits, CheckRelease: kept.admits,
	})
}

// Fetch gets the bundle once, verified where there are keys, and judged no further. It reports whether a signature was
// verified. The error is a [*bundles.Refusal].
func (f *Origin) Fetch(ctx context.Context) (a *bundles.Archive, verified bool, err error) {
	found, err := f.source.fetch(ctx, seen{})
	if err == nil {
		a, verified, err = bundles.Verify(bundles.Config{
			Archive: found.archive, Raw: found.raw, Verification: f.verifying(), Limits: f.limits,
		})
	}
	if err != nil {
		refusal := bundles.AsRefusal(err, bundles.Unavailable)
		refusal.Err = fmt.Errorf("%s: %w", f.source, err)
		return nil, false, refusal
	}
	return a, verified, nil
}

// Resolve checks an origin and reads its keys. Its error joins every fault.
func (o Settings) Resolve() (*Origin, error) {
	f := &Origin{stateDir: o.StateDir, judging: maxJudging}
	f.verifying = func() *bundles.Verification { return f.keyring.now() }
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.SizeLimitBytes < 0 || o.SizeLimitBytes > 1<<36 {
		fault("size_limit_bytes is %d: say a number of bytes from 1 to 64 GiB", o.SizeLimitBytes)
	} else if o.SizeLimitBytes > 0 {
		f.limits = bundles.Limits{Compressed: o.SizeLimitBytes, Inflated: 8 * o.SizeLimitBytes}
	}
	f.limits = f.limits.WithDefaults()
	if o.MaxAge != "" {
		age, err := time.ParseDuration(o.MaxAge)
		if err != nil || age <= 0 {
			fault("max_age is %q: say a time such as 24h", o.MaxAge)
		}
		f.maxAge = age
	}
	var err error
	if f.keyring, err = o.keyring(); err != nil {
		faults = append(faults, err)
	}
	if f.source, err = o.source(f.limits); err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	if least := f.source.confirms(); f.maxAge > 0 && f.maxAge < least {
		fault("max_age is %s, and it can take %s until a policy is confirmed: say more, or ask more often (polling)", f.maxAge, least)
	}
	if f.source.network() {
		f.keyring.fixed.Required = !o.AllowUnsigned
		if f.keyring.fixed.Required && f.keyring.empty() && len(o.Keys) == 0 && o.KeyFile == "" {
			fault("bundles of %s cross a network: name the keys that sign them (keys, key_file or --verification-key), "+
				"or write allow_unsigned: true", f.source)
		}
		if f.stateDir == "" {
			fault("bundles of %s need a directory for the last good one and for the highest sequence: name it (state_dir or --state-dir)", f.source)
		}
	} else {
		f.keyring.fixed.Required = !f.keyring.empty() && !o.AllowUnsigned
	}
	return f, errors.Join(faults...)
}

func (o Settings) source(limits bundles.Limits) (source, error) {
	remote := len(o.Service) > 0 || o.Resource != ""
	switch {
	case o.Path != "" && remote:
		return nil, errors.New("a path and a service are both given: choose one")
	case o.Path != "":
		if _, err := os.Stat(o.Path); err != nil && o.StateDir == "" { // else the last good one may be on disk
			return nil, fmt.Errorf("the bundle is %q: name a directory of policy or a .tar.gz: %w", o.Path, err)
		}
		return newLocalSource(o.Path, limits), nil
	case len(o.Service) == 0 || o.Resource == "":
		return nil, fmt.Errorf("the bundle has no %s: it needs a path, or a service and a resource", missing(o))
	}
	var parsed struct{ URL, Type string }
	if err := json.Unmarshal(o.Service, &parsed); err != nil {
		return nil, err
	}
	switch u, err := url.Parse(parsed.URL); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("service: the url is no http or https address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "": // the url names the source in logs
		return nil, errors.New("service: the url has a user, a query or a fragment: credentials are for service.credentials or service.headers")
	}
	polling, err := o.polling()
	if err != nil {
		return nil, err
	}
	s := &Service{Config: o.Service, Resource: o.Resource, oci: parsed.Type == "oci", url: parsed.URL, logger: o.Logger}
	if s.oci {
		return newOCISource(s, polling, limits)
	}
	return newHTTPSource(s, polling, limits)
}

func missing(o Settings) string {
	switch {
	case len(o.Service) > 0:
		return "resource"
	case o.Resource != "":
		return "service"
	}
	return "path"
}
