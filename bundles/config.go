package bundles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins/rest"
)

// Origin is `policy.bundle` of the settings: where bundles come from, and by which keys they are verified. Names and
// meaning of service, resource, polling, signing and keys are those of OPA's configuration.
type Origin struct {
	// Path is a directory of policy or a .tar.gz; or else Service and Resource name a bundle on a server.
	Path string `json:"path"`
	// Service is an entry of OPA's `services`: url, credentials, tls, headers, response_header_timeout_seconds, and
	// type: oci for a registry.
	Service json.RawMessage `json:"service"`
	// Resource is the bundle's path below the service's url, or the reference of an image in a registry.
	Resource string `json:"resource"`
	Polling  struct {
		MinDelaySeconds           *int64 `json:"min_delay_seconds"`
		MaxDelaySeconds           *int64 `json:"max_delay_seconds"`
		LongPollingTimeoutSeconds *int64 `json:"long_polling_timeout_seconds"`
	} `json:"polling"`
	Signing struct {
		KeyID string `json:"keyid"`
		Scope string `json:"scope"`
	} `json:"signing"`
	// Keys are OPA's `keys`, by key id: key (PEM, or the path of a file), algorithm, scope.
	Keys map[string]struct {
		Key       string `json:"key"`
		Algorithm string `json:"algorithm"`
		Scope     string `json:"scope"`
	} `json:"keys"`
	// KeyFile is a file of PEM public keys: any of them may have signed.
	KeyFile string `json:"key_file"`
	// AllowUnsigned takes bundles without signature from a source that crosses a network.
	AllowUnsigned bool `json:"allow_unsigned"`
	// SizeLimitBytes bounds an archive as it comes; its files may take eight times as much.
	SizeLimitBytes int64 `json:"size_limit_bytes"`
	// StateDir keeps the last good bundle and the highest sequence.
	StateDir string `json:"state_dir"`
	// MaxAge is how long a policy may decide that its source has not confirmed, such as "24h"; empty means for ever.
	MaxAge string `json:"max_age"`
}

// DecodeOrigin reads an origin from JSON, strictly: a member that is not known is an error.
func DecodeOrigin(data []byte) (Origin, error) {
	var o Origin
	if err := strictly(data, &o); err != nil {
		return o, err
	}
	if len(o.Service) > 0 { // OPA itself passes over what it does not know
		if err := strictly(o.Service, &rest.Config{}); err != nil {
			return o, fmt.Errorf("service: %w", err)
		}
	}
	return o, nil
}

func strictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unknown field", "there is no setting"), "json: "))
	}
	return nil
}

// SetAddress takes a path, an http(s) address, or oci://REGISTRY/NAME:TAG (a registry on this machine may speak plain
// HTTP: oci+http://).
func (o *Origin) SetAddress(address string) error {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		o.Path = address
		return nil
	}
	service := map[string]string{}
	switch scheme {
	case "http", "https":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
			return fmt.Errorf("%q is no address of a bundle: say one such as https://bundles.example.org/authz.tar.gz", address)
		}
		if u.User != nil || u.Fragment != "" {
			return errors.New("an address has neither user nor fragment: credentials are for the settings' policy.bundle.service")
		}
		o.Resource = strings.TrimPrefix(u.RequestURI(), "/")
		u.Path, u.RawPath, u.RawQuery, u.ForceQuery = "", "", "", false
		service["url"] = u.String()
	case "oci", "oci+http":
		host, _, _ := strings.Cut(rest, "/")
		service["type"], service["url"] = "oci", "https://"+host
		if scheme == "oci+http" {
			service["url"] = "http://" + host
		}
		o.Resource = rest
	default:
		return fmt.Errorf("%q is neither a path nor an address that begins with http, https or oci", address)
	}
	var err error
	o.Service, err = json.Marshal(service)
	return err
}

// Service is a server of bundles, or a registry.
type Service struct {
	Config   json.RawMessage
	Resource string
	oci      bool
	url      string
}

func (s *Service) client() (rest.Client, error) {
	return rest.New(s.Config, map[string]*keys.Config{}, rest.Logger(logging.NewNoOpLogger()), rest.Name("bundle"))
}

// String names the bundle without whatever may be secret.
func (s *Service) String() string {
	if s.oci {
		return "oci://" + s.Resource
	}
	resource, _, _ := strings.Cut(s.Resource, "?")
	return strings.TrimRight(s.url, "/") + "/" + strings.Trim(resource, "/")
}

// Polling is how often a server is asked.
type Polling struct {
	Min, Max time.Duration // between two requests; after failures less at first, and at most Max
	Long     time.Duration // how long a server may hold a request; 0 means that it shall not
	Timeout  time.Duration // of a whole request, beyond that
}

func (p Polling) pause() time.Duration {
	return p.Min + time.Duration(rand.Int64N(int64(p.Max-p.Min)+1))
}

// Following is an origin made ready to be followed.
type Following struct {
	source       source
	verification *Verification
	stateDir     string
	maxAge       time.Duration
	limits       Limits
	judging      time.Duration // how long a gate may take: a policy without end must not keep the next ones out
}

// maxJudging is more than a gate takes with all the golden decisions that a bundle may bring.
const maxJudging = 2 * time.Minute

// Remote says whether bundles cross a network.
func (f *Following) Remote() bool { return f.source.network() }

// Open gets and opens the bundle once, without following it. Its error is a [*Refusal].
func (f *Following) Open(ctx context.Context, entrypoint string, schema []byte) (*Revision, error) {
	found, err := f.source.fetch(ctx, "")
	if err != nil {
		refusal := refusalOf(err, Unreached)
		refusal.Err = fmt.Errorf("policies %s: %w", f.source, err)
		return nil, refusal
	}
	return Open(ctx, Config{
		Archive: found.archive, Source: f.source.String(), Entrypoint: entrypoint, Schema: schema, Verification: f.verification,
	})
}

// Resolve checks an origin and reads its keys. Its error joins every fault.
func (o Origin) Resolve() (*Following, error) {
	f := &Following{stateDir: o.StateDir, judging: maxJudging}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.SizeLimitBytes < 0 || o.SizeLimitBytes > 1<<36 {
		fault("size_limit_bytes is %d: say a number of bytes from 1 to 64 GiB", o.SizeLimitBytes)
	} else if o.SizeLimitBytes > 0 {
		f.limits = Limits{Compressed: o.SizeLimitBytes, Inflated: 8 * o.SizeLimitBytes}
	}
	f.limits = f.limits.orDefaults()
	if o.MaxAge != "" {
		age, err := time.ParseDuration(o.MaxAge)
		if err != nil || age <= 0 {
			fault("max_age is %q: say a time such as 24h", o.MaxAge)
		}
		f.maxAge = age
	}
	var err error
	if f.verification, err = o.verification(); err != nil {
		faults = append(faults, err)
	}
	if f.source, err = o.source(f.limits); err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	if f.source.network() && f.verification != nil {
		f.verification.Required = !o.AllowUnsigned
		if f.verification.Required && f.verification.empty() {
			fault("bundles of %s cross a network: name the keys that sign them (keys, key_file or --verification-key), "+
				"or write allow_unsigned: true", f.source)
		}
		if f.stateDir == "" {
			fault("bundles of %s need a directory for the last good one and for the highest sequence: name it (state_dir or --state-dir)", f.source)
		}
	} else if f.verification != nil {
		f.verification.Required = !f.verification.empty() && !o.AllowUnsigned
	}
	return f, errors.Join(faults...)
}

func (o Origin) source(limits Limits) (source, error) {
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
		return nil, errors.New("a bundle needs a path, or a service and a resource")
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
	s := &Service{Config: o.Service, Resource: o.Resource, oci: parsed.Type == "oci", url: parsed.URL}
	if s.oci {
		return newOCISource(s, polling, limits)
	}
	return newHTTPSource(s, polling, limits)
}

func (o Origin) polling() (Polling, error) {
	p := Polling{Min: time.Minute, Max: 2 * time.Minute, Timeout: time.Minute}
	set := func(d *time.Duration, seconds *int64) error {
		switch {
		case seconds == nil:
			return nil
		case *seconds < 1 || *seconds > 7*24*3600:
			return fmt.Errorf("polling: %d seconds are not between 1 and a week", *seconds)
		}
		*d = time.Duration(*seconds) * time.Second
		return nil
	}
	err := errors.Join(set(&p.Min, o.Polling.MinDelaySeconds), set(&p.Max, o.Polling.MaxDelaySeconds), set(&p.Long, o.Polling.LongPollingTimeoutSeconds))
	if o.Polling.MaxDelaySeconds == nil {
		p.Max = max(p.Max, p.Min)
	} else if o.Polling.MinDelaySeconds == nil {
		p.Min = min(p.Min, p.Max)
	}
	if err == nil && p.Max < p.Min {
		err = errors.New("polling: max_delay_seconds is below min_delay_seconds")
	}
	return p, err
}

func (o Origin) verification() (*Verification, error) {
	v := &Verification{Keys: map[string]*keys.Config{}, KeyID: o.Signing.KeyID, Scope: o.Signing.Scope}
	var faults []error
	for id, k := range o.Keys {
		algorithm := k.Algorithm
		if algorithm == "" {
			algorithm = "RS256" // as OPA takes it
		}
		if !keys.IsSupportedAlgorithm(algorithm) {
			faults = append(faults, fmt.Errorf("keys: %s: there is no algorithm %q", id, k.Algorithm))
			continue
		}
		if k.Key == "" {
			faults = append(faults, fmt.Errorf("keys: %s: the key is missing", id))
			continue
		}
		content, err := keyContent(k.Key, algorithm)
		if err != nil {
			faults = append(faults, fmt.Errorf("keys: %s: %w", id, err))
			continue
		}
		v.Keys[id] = &keys.Config{Key: content, Algorithm: algorithm, Scope: k.Scope}
	}
	if v.KeyID != "" && v.Keys[v.KeyID] == nil {
		faults = append(faults, fmt.Errorf("signing: keyid is %q, which is none of the keys", v.KeyID))
	}
	if o.KeyFile != "" {
		data, err := os.ReadFile(o.KeyFile)
		if err != nil {
			faults = append(faults, fmt.Errorf("the key file cannot be read: %w", err))
		} else if v.Public, err = ParsePublicKeys(data); err != nil {
			faults = append(faults, fmt.Errorf("the key file %s: %w", o.KeyFile, err))
		}
	}
	return v, errors.Join(faults...)
}

// keyContent is the key itself, or what a file with it says. A shared secret is always meant as it is written.
func keyContent(key, algorithm string) (string, error) {
	if strings.HasPrefix(algorithm, "HS") || strings.Contains(key, "-----BEGIN") {
		return key, nil
	}
	data, err := os.ReadFile(key)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // what was taken for a path may be a secret
		}
		return "", fmt.Errorf("the key is neither PEM nor a file that can be read: %w", err)
	}
	return string(data), nil
}
