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

// Settings is `policy.bundle` of the settings file: where bundles come from, and which keys verify them. The names and
// meanings of service, resource, polling, signing and keys are those of OPA's configuration.
type Settings struct {
	// Path is a directory of policy or a .tar.gz. Otherwise Service and Resource name a bundle on a server.
	Path string `json:"path"`
	// Service is an entry of OPA's `services`: url, credentials, tls, headers, response_header_timeout_seconds, and
	// type: oci for a registry.
	Service json.RawMessage `json:"service"`
	// Resource is the bundle's path below the service's URL, or the reference of an image in a registry.
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
	// KeyFile is a file of PEM public keys. A signature by any of them is accepted.
	KeyFile string `json:"key_file"`
	// AllowUnsigned accepts unsigned bundles from a source across a network.
	AllowUnsigned bool `json:"allow_unsigned"`
	// SizeLimitBytes bounds a compressed archive. Uncompressed, its files may have eight times as many bytes.
	SizeLimitBytes int64 `json:"size_limit_bytes"`
	// StateDir is the directory that holds the last good bundle and the highest sequence.
	StateDir string `json:"state_dir"`
	// MaxAge is how long a policy may decide after its source last confirmed it, such as "24h"; "" means forever.
	MaxAge string `json:"max_age"`
	// RequireApproval refuses a bundle that allows what the policy in force denies, unless its approved.yaml approves the change.
	RequireApproval bool `json:"require_approval"`

	Logger *slog.Logger `json:"-"` // logs the rereading of files; nil: slog.Default()
}

// DecodeSettings reads settings from JSON. An unknown member is an error.
func DecodeSettings(data []byte) (Settings, error) {
	var s Settings
	if err := decodeStrictly(data, &s); err != nil {
		return s, err
	}
	if len(s.Service) > 0 { // OPA ignores unknown members
		if err := decodeStrictly(s.Service, &rest.Config{}); err != nil {
			return s, fmt.Errorf("service: %w", err)
		}
	}
	return s, nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s: it must be %s", cmp.Or(strings.TrimPrefix(e.Field, "."), "this"), e.Value, describeKind(e.Type.Kind()))
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unknown field", "there is no setting"), "json: "))
	}
	return nil
}

// describeKind describes a kind of value in YAML's terms.
func describeKind(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string, in quotes if it looks like a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "a mapping of names to values"
	case reflect.Slice:
		return "a list"
	}
	return "a whole number"
}

// SetAddress takes a path, an http or https URL, or oci://REGISTRY/NAME:TAG (oci+http:// for a registry on this machine
// that speaks plain HTTP). The error does not contain the address, which may hold a secret.
func (s *Settings) SetAddress(address string) error {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		s.Path = address
		return nil
	}
	service := map[string]string{}
	switch scheme {
	case "http", "https":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
			return errors.New("it is not the URL of a bundle: write one such as https://bundles.example.org/authz.tar.gz")
		}
		if u.User != nil || u.Fragment != "" {
			return errors.New("it must have neither user nor fragment: credentials belong in the settings' policy.bundle.service")
		}
		s.Resource = strings.TrimPrefix(u.RequestURI(), "/")
		u.Path, u.RawPath, u.RawQuery, u.ForceQuery = "", "", "", false
		service["url"] = u.String()
	case "oci", "oci+http":
		host, _, _ := strings.Cut(rest, "/")
		service["type"], service["url"] = "oci", "https://"+host
		if scheme == "oci+http" {
			service["url"] = "http://" + host
		}
		s.Resource = rest
	default:
		return errors.New("it is neither a path nor a URL that begins with http://, https://, oci:// or oci+http://")
	}
	var err error
	s.Service, err = json.Marshal(service)
	return err
}
