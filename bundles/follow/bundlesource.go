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

// BundleSource is a source of bundles, ready to fetch from: its settings have been checked, and their keys read.
type BundleSource struct {
	source       source
	keyring      *keyring
	verification func() *bundles.Verification // called for each attempt, because keys change
	stateDir     string
	approval     bool          // whether bundles must approve what they allow
	maxAge       time.Duration // 0: forever
	limits       bundles.Limits
	checkTimeout time.Duration // bounds compiling, and then the gate, so that no bundle blocks the next ones
}

// defaultCheckTimeout exceeds what a gate needs for as many golden decisions as a bundle can hold.
const defaultCheckTimeout = 2 * time.Minute

// Open fetches and opens the bundle once, with the checks that a follower makes before its gate. It writes nothing, not
// even to the state directory. The error is a [*bundles.Refusal].
func (b *BundleSource) Open(ctx context.Context, entrypoint string, schema []byte) (*bundles.Revision, error) {
	var store stateStore
	if b.stateDir != "" {
		var err error
		if store.state, err = readState(b.stateDir); err != nil {
			return nil, unavailable(err)
		}
	}
	found, err := b.source.fetch(ctx, seen{})
	if err != nil {
		refusal := bundles.AsRefusal(err, bundles.Unavailable)
		refusal.Err = fmt.Errorf("policy %s: %w", b.source, err)
		return nil, refusal
	}
	return bundles.Open(ctx, bundles.Config{
		Archive: found.archive, Raw: found.raw, Source: b.source.String(), Entrypoint: entrypoint, Schema: schema, Verification: b.verification(),
		Limits: b.limits, CheckRelease: store.checkRelease,
	})
}

// RequiresApproval reports whether the gate has to refuse a bundle that allows what the policy in force denies without approving it.
func (b *BundleSource) RequiresApproval() bool { return b.approval }

// Fetch fetches the bundle once. It verifies the bundle if there are keys, and checks nothing else. It reports whether a
// signature was verified. The error is a [*bundles.Refusal].
func (b *BundleSource) Fetch(ctx context.Context) (a *bundles.Archive, verified bool, err error) {
	found, err := b.source.fetch(ctx, seen{})
	if err == nil {
		a, verified, err = bundles.Verify(bundles.Config{
			Archive: found.archive, Raw: found.raw, Verification: b.verification(), Limits: b.limits,
		})
	}
	if err != nil {
		refusal := bundles.AsRefusal(err, bundles.Unavailable)
		refusal.Err = fmt.Errorf("%s: %w", b.source, err)
		return nil, false, refusal
	}
	return a, verified, nil
}

// Resolve checks the settings and reads the keys. The error joins all faults.
func (s Settings) Resolve() (*BundleSource, error) {
	b := &BundleSource{stateDir: s.StateDir, approval: s.RequireApproval, checkTimeout: defaultCheckTimeout}
	b.verification = func() *bundles.Verification { return b.keyring.verification() }
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.SizeLimitBytes < 0 || s.SizeLimitBytes > 1<<36 {
		fault("size_limit_bytes is %d: write a number of bytes from 1 to 64 GiB", s.SizeLimitBytes)
	} else if s.SizeLimitBytes > 0 {
		b.limits = bundles.Limits{Compressed: s.SizeLimitBytes, Inflated: 8 * s.SizeLimitBytes}
	}
	b.limits = b.limits.WithDefaults()
	if s.MaxAge != "" {
		age, err := time.ParseDuration(s.MaxAge)
		if err != nil || age <= 0 {
			fault("max_age is %q: write a duration such as 24h", s.MaxAge)
		}
		b.maxAge = age
	}
	if s.RequireApproval && s.StateDir == "" {
		fault("require_approval compares a bundle with the one before it, after a restart too: name the directory that keeps that (state_dir or --state-dir)")
	}
	var err error
	if b.keyring, err = s.keyring(); err != nil {
		faults = append(faults, err)
	}
	if b.source, err = s.source(b.limits); err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	if least := b.source.confirmInterval(); b.maxAge > 0 && b.maxAge < least {
		fault("max_age is %s, but it can take %s until a policy is confirmed: raise it, or poll more often (polling)", b.maxAge, least)
	}
	if !b.source.remote() {
		b.keyring.fixed.Required = !b.keyring.empty() && !s.AllowUnsigned
		return b, errors.Join(faults...)
	}
	b.keyring.fixed.Required = !s.AllowUnsigned
	if b.keyring.fixed.Required && b.keyring.empty() && len(s.Keys) == 0 && s.KeyFile == "" {
		fault("bundles of %s cross a network: name the keys that sign them (keys, key_file or --verification-key), "+
			"or write allow_unsigned: true", b.source)
	}
	if b.stateDir == "" {
		fault("bundles of %s need a directory for the last good one and for the highest sequence: name it (state_dir or --state-dir)", b.source)
	}
	return b, errors.Join(faults...)
}

func (s Settings) source(limits bundles.Limits) (source, error) {
	remote := len(s.Service) > 0 || s.Resource != ""
	switch {
	case s.Path != "" && remote:
		return nil, errors.New("a path and a service are both given: choose one")
	case s.Path != "":
		if _, err := os.Stat(s.Path); err != nil && s.StateDir == "" { // with a state directory, the last good bundle may serve
			return nil, fmt.Errorf("the bundle is %q: name a directory of policy or a .tar.gz: %w", s.Path, err)
		}
		return newLocalSource(s.Path, limits), nil
	case len(s.Service) == 0 || s.Resource == "":
		return nil, fmt.Errorf("the bundle has no %s: it needs a path, or a service and a resource", s.missing())
	}
	var parsed struct{ URL, Type string }
	if err := json.Unmarshal(s.Service, &parsed); err != nil {
		return nil, err
	}
	switch u, err := url.Parse(parsed.URL); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("service: the url is not an http or https URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "": // the URL names the source in logs
		return nil, errors.New("service: the url has a user, a query or a fragment: credentials belong in service.credentials or service.headers")
	}
	polling, err := s.polling()
	if err != nil {
		return nil, err
	}
	from := &service{config: s.Service, resource: s.Resource, oci: parsed.Type == "oci", url: parsed.URL, logger: s.Logger}
	if from.oci {
		return newOCISource(from, polling, limits)
	}
	return newHTTPSource(from, polling, limits)
}

// missing names the setting that an incomplete source lacks.
func (s Settings) missing() string {
	switch {
	case len(s.Service) > 0:
		return "resource"
	case s.Resource != "":
		return "service"
	}
	return "path"
}
