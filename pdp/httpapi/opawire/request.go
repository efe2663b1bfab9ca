package opawire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxPath is the maximum length of the path of a document, escaped, in bytes.
const maxPath = 2 << 10

// ParsePath returns the names in the URL path after prefix. An escaped slash is part of a name; empty names are ignored.
func ParsePath(r *http.Request, prefix string) ([]string, error) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	if len(rest) > maxPath {
		return nil, invalid("The path is too long: send at most " + strconv.Itoa(maxPath) + " bytes.")
	}
	var path []string
	for escaped := range strings.SplitSeq(rest, "/") {
		name, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, invalid("The path has an invalid escape: send a percent sign as %25.")
		}
		if name != "" {
			path = append(path, name)
		}
	}
	return path, nil
}

// ParseQuery parses the query of the URL. A malformed parameter is an error, because it might be the input.
func ParseQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query of the URL is malformed: percent-encode its parameters.")
	}
	return query, nil
}

// ParseParameters parses the parameters of a request for documents. Parameters of OPA that are not in supported are
// errors, because the response would lack what the client asked for.
func ParseParameters(r *http.Request, supported ...string) (url.Values, error) {
	query, err := ParseQuery(r)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"metrics", "provenance", "instrument", "rule_labels", "strict-builtin-errors"} {
		if Flag(query, name) && !slices.Contains(supported, name) {
			return nil, unsupported(name)
		}
	}
	// OPA ignores other values of explain, too.
	for _, mode := range []string{"notes", "fails", "full", "debug"} {
		if slices.Contains(query["explain"], mode) {
			return nil, unsupported("explain")
		}
	}
	return query, nil
}

func unsupported(parameter string) error {
	return invalid(`The parameter "` + parameter + `" is not supported: leave it out.`)
}

// Flag reports whether a boolean parameter is set, either without a value or to "true" in any case.
func Flag(query url.Values, name string) bool {
	values := query[name]
	return len(values) == 1 && values[0] == "" ||
		slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "true") })
}

// InputParameter parses the parameter "input" of a GET.
func InputParameter(query url.Values) (pdp.DataInput, error) {
	values := query["input"]
	if len(values) == 0 {
		return pdp.DataInput{}, nil
	}
	value, err := authzen.ParseValue([]byte(values[0]))
	if err != nil || len(values) > 1 {
		return pdp.DataInput{}, invalid(`The parameter "input" is malformed: send it once, as one JSON value without duplicate names.`)
	}
	return pdp.DataInput{Value: value, Sent: true}, nil
}

// InputMember returns the input in a member of a body. A null member counts as absent.
func InputMember(value any) pdp.DataInput { return pdp.DataInput{Value: value, Sent: value != nil} }

// InputBody parses a body that is the input itself; an empty body is null.
func InputBody(body []byte) (pdp.DataInput, error) {
	if len(body) == 0 {
		return pdp.DataInput{Sent: true}, nil
	}
	value, err := authzen.ParseValue(body)
	return pdp.DataInput{Value: value, Sent: true}, err
}

// ParseMembers parses a body that is an object; an empty body has no members.
func ParseMembers(body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	return authzen.ParseObject(body)
}

// BodyAsJSON returns a body without surrounding white space, converted to JSON if the Content-Type is YAML. Any other
// Content-Type counts as JSON, as in OPA.
func BodyAsJSON(contentType []string, body []byte) (_ []byte, err error) {
	if isYAML(contentType) && !json.Valid(body) {
		body, err = yamlToJSON(body)
	}
	return bytes.TrimSpace(body), err
}

// isYAML reports whether a Content-Type is one of those in use for YAML.
func isYAML(contentType []string) bool {
	return slices.ContainsFunc(contentType, func(value string) bool { return strings.Contains(strings.ToLower(value), "yaml") })
}

func invalid(message string) error { return &pdp.Error{Kind: pdp.Invalid, Message: message} }
