package follow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	// minSecret is the length in bytes from which a configured value is redacted. Shorter values occur in ordinary words.
	minSecret = 6
	// maxError bounds the text of an error, in bytes: a server may have written it.
	maxError = 500
)

// secretsOf returns the values of a service's credentials and headers at any depth, the longest first.
func secretsOf(config json.RawMessage) (all []string) {
	var parsed struct{ Credentials, Headers any }
	_ = json.Unmarshal(config, &parsed) // faults are reported where the settings are used
	var collect func(value any)
	collect = func(value any) {
		switch v := value.(type) {
		case string:
			if len(v) >= minSecret {
				all = append(all, v)
			}
		case []any:
			for _, inner := range v {
				collect(inner)
			}
		case map[string]any:
			for _, inner := range v {
				collect(inner)
			}
		}
	}
	collect(parsed.Credentials)
	collect(parsed.Headers)
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return all
}

// redact removes configured values from an error. OPA's plugins report paths, and someone may have written a secret instead
// of a path.
func (c *client) redact(err error) error {
	err = redactURL(err)
	text := err.Error()
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "(a value of the settings)")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// urlPattern matches a URL as errors quote it.
var urlPattern = regexp.MustCompile(`"?[A-Za-z][A-Za-z0-9+.-]*://[^\s"]*"?`)

// redactURL removes URLs, paths and text that a server wrote from an error. They may hold secrets, and messages name the
// source anyway.
func redactURL(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the server did not answer in time")
	}
	if e, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return fmt.Errorf("the registry answered %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("a file of the credentials or of TLS cannot be read: %w", e.Err)
	}
	for {
		e, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		if e.Op == "parse" {
			return errors.New("a URL cannot be parsed")
		}
		err = e.Err
	}
	text := err.Error()
	if _, answer, ok := strings.Cut(text, "OAuth2 token endpoint: "); ok {
		return tokenRefused(answer)
	}
	_, isNetwork := errors.AsType[net.Error](err)
	switch {
	case strings.Contains(text, "Location header"):
		return errors.New("the server redirects to an invalid URL")
	case strings.Contains(text, "transport connection broken") && !isNetwork && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server does not speak HTTP") // err quotes what it sent
	}
	redacted := urlPattern.ReplaceAllString(text, "(a URL)")
	if len(redacted) > maxError {
		redacted = strings.ToValidUTF8(redacted[:maxError], "") + "..."
	}
	if redacted != text {
		return errors.New(redacted)
	}
	return err
}

// tokenRefused returns an error with the code of RFC 6749 section 5.2 by which a token service refused. It leaves out the
// rest of the answer, because some services repeat the request in it.
func tokenRefused(answer string) error {
	var parsed struct{ Error string }
	_ = json.Unmarshal([]byte(answer), &parsed) // may not be JSON
	switch parsed.Error {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return fmt.Errorf("the token service of the credentials refused: %s", parsed.Error)
	}
	return errors.New("the token service of the credentials refused")
}
