package follow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"

	"github.com/open-policy-agent/opa/v1/plugins/rest"
)

// Settings is `policy.bundle` of the settings: where bundles come from, and by which keys they are verified. Names and
// meaning of service, resource, polling, signing and keys are those of OPA's configuration.
type Settings struct {
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

	Logger *slog.Logger `json:"-"` // of what is read again; nil: slog.Default()
}

// DecodeSettings reads an origin from JSON, strictly: a member that is not known is an error.
func DecodeSettings(data []byte) (Settings, error) {
	var o Settings
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
	err := decoder.Decode(into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s: it must be %s", cmp.Or(strings.TrimPrefix(e.Field, "."), "this"), e.Value, wanted(e.Type.Kind()))
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unknown field", "there is no setting"), "json: "))
	}
	return nil
}

// wanted is a kind of value as people call it.
func wanted(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a text, in quotes where it looks like a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "a mapping of names to values"
	case reflect.Slice:
		return "a list"
	}
	return "a whole number"
}

// SetAddress takes a path, an http(s) address, or oci://REGISTRY/NAME:TAG (a registry on this machine may speak plain
// HTTP: oci+http://). Its errors do not tell the address: there may be a secret in it.
func (o *Settings) SetAddress(address string) error {
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
			return errors.New("it is no address of a bundle: say one such as https://bundles.example.org/authz.tar.gz")
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
		return errors.New("it is neither a path nor an address that begins with http://, https://, oci:// or oci+http://")
	}
	var err error
	o.Service, err = json.Marshal(service)
	return err
}
