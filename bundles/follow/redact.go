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
	// minSecret is the fewest bytes of a value that is taken out of messages: a shorter one would also be in plain words.
	minSecret = 6
	// maxTold is the most bytes of an error that are told: a server may have written them.
	maxTold = 500
)

// secretsOf gives the values of a service's credentials and headers, at any depth, long ones first.
func secretsOf(config json.RawMessage) (all []string) {
	var parsed struct{ Credentials, Headers any }
	_ = json.Unmarshal(config, &parsed) // what cannot be read is told by who uses it
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

// hush takes what is configured as credentials out of an error of the plugins: they tell paths, and a secret may have been
// written where a path belongs.
func (c *caller) hush(err error) error {
	err = withoutURL(err)
	text := err.Error()
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "(a value of the settings)")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// address is an address as errors quote it.
var address = regexp.MustCompile(`"?[A-Za-z][A-Za-z0-9+.-]*://[^\s"]*"?`)

// withoutURL takes addresses, paths and the words of servers out of an error: they may be secrets, and the source is named
// beside it anyway.
func withoutURL(err error) error {
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
			return errors.New("an address cannot be parsed")
		}
		err = e.Err
	}
	text := err.Error()
	if _, answer, ok := strings.Cut(text, "OAuth2 token endpoint: "); ok {
		return tokenRefused(answer)
	}
	_, ofNetwork := errors.AsType[net.Error](err)
	switch {
	case strings.Contains(text, "Location header"):
		return errors.New("the server sends its callers on to what is no address")
	case strings.Contains(text, "transport connection broken") && !ofNetwork && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server answered with what is no HTTP") // which the error quotes
	}
	told := address.ReplaceAllString(text, "(an address)")
	if len(told) > maxTold {
		told = strings.ToValidUTF8(told[:maxTold], "") + "..."
	}
	if told != text {
		return errors.New(told)
	}
	return err
}

// tokenRefused says why a token service gives no token, in the words of RFC 6749. What else it answered is not told: some
// repeat what they were asked.
func tokenRefused(answer string) error {
	var parsed struct{ Error string }
	_ = json.Unmarshal([]byte(answer), &parsed) // it need not be JSON
	switch parsed.Error {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return fmt.Errorf("the token service of the credentials refused: %s", parsed.Error)
	}
	return errors.New("the token service of the credentials refused")
}
