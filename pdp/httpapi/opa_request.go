package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxDocumentPath is the most bytes that the path of a document may have, escaped.
const maxDocumentPath = 2 << 10

// documentPath reads the names behind a prefix. An escaped slash belongs to its name, and empty names do not count.
func documentPath(r *http.Request, prefix string) ([]string, error) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	if len(rest) > maxDocumentPath {
		return nil, invalid("The path is too long: send at most " + strconv.Itoa(maxDocumentPath) + " bytes.")
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

// query reads the parameters. One that cannot be read is refused, since it might be the input.
func (x *exchange) query() (url.Values, error) {
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query of the URL cannot be read: percent-encode its parameters.")
	}
	return query, nil
}

// parameters reads the parameters of a request for documents. Those of OPA's that are not served are refused: an answer
// without what was asked for would look complete.
func (x *exchange) parameters(served ...string) (url.Values, error) {
	query, err := x.query()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"metrics", "provenance", "instrument", "rule_labels", "strict-builtin-errors"} {
		if asked(query, name) && !slices.Contains(served, name) {
			return nil, unserved(name)
		}
	}
	// Any other value explains nothing, in OPA too.
	for _, mode := range []string{"notes", "fails", "full", "debug"} {
		if slices.Contains(query["explain"], mode) {
			return nil, unserved("explain")
		}
	}
	return query, nil
}

func unserved(name string) error {
	return invalid(`The parameter "` + name + `" is not served here: leave it out.`)
}

// asked says whether a parameter is there, bare or as true.
func asked(query url.Values, name string) bool {
	values := query[name]
	return len(values) == 1 && values[0] == "" ||
		slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "true") })
}

// input reads the input of a request for a document: the member of the body, or the parameter of a GET.
func (x *exchange) input(query url.Values) (pdp.DataInput, error) {
	if x.r.Method != http.MethodPost {
		if err := x.admit(len(x.r.URL.RawQuery)); err != nil {
			return pdp.DataInput{}, err
		}
		return inputParameter(query["input"])
	}
	members, err := x.members()
	if err != nil {
		return pdp.DataInput{}, err
	}
	return inputOf(members["input"]), nil
}

// inputOf is an input that was a member; null counts as absent there.
func inputOf(value any) pdp.DataInput { return pdp.DataInput{Value: value, Sent: value != nil} }

func inputParameter(sent []string) (pdp.DataInput, error) {
	if len(sent) == 0 {
		return pdp.DataInput{}, nil
	}
	value, err := authzen.ParseValue([]byte(sent[0]))
	if err != nil || len(sent) > 1 {
		return pdp.DataInput{}, invalid(`The parameter "input" cannot be read: send it once, as one well-formed JSON value that names each member of an object once.`)
	}
	return pdp.DataInput{Value: value, Sent: true}, nil
}

// bareInput reads the body as the input itself; an empty one is null.
func (x *exchange) bareInput() (pdp.DataInput, error) {
	body, err := x.opaBody()
	if err != nil || len(body) == 0 {
		return pdp.DataInput{Sent: true}, err
	}
	value, err := authzen.ParseValue(body)
	return pdp.DataInput{Value: value, Sent: true}, err
}

// maxMerged is the most bytes that what inputs have in common may come to, counted once for each of them.
const maxMerged = 2 << 20

// inputs reads those of a batch, each over what all have in common.
func (x *exchange) inputs() (map[string]any, error) {
	members, err := x.members()
	if err != nil {
		return nil, err
	}
	inputs, ok := members["inputs"].(map[string]any)
	switch {
	case !ok:
		return nil, invalid(`The member "inputs" is missing or not an object: send an object with an input for each name.`)
	case len(inputs) > authzen.MaxEvaluations:
		return nil, invalid(`The member "inputs" has too many inputs: send at most ` + strconv.Itoa(authzen.MaxEvaluations) + " in a request.")
	}
	common, ok := members["common_input"].(map[string]any)
	switch {
	case !ok && members["common_input"] != nil:
		return nil, invalid(`The member "common_input" is not an object: send an object, or leave it out.`)
	case len(common) == 0:
		return inputs, nil
	}
	size, err := authzen.AppendValue(nil, common)
	switch {
	case err != nil:
		return nil, err
	case len(size)*len(inputs) > maxMerged:
		return nil, invalid(`The member "common_input" is too large for so many inputs: send fewer in a request.`)
	}
	for name, own := range inputs {
		inputs[name] = merged(common, own)
	}
	return inputs, nil
}

// merged is a value over a common one: objects are merged member by member, at every level, and anything else of the
// value's own stands instead of what is common. Neither is changed.
func merged(common, own any) any {
	c, ok := common.(map[string]any)
	o, both := own.(map[string]any)
	if !ok || !both {
		return own
	}
	all := maps.Clone(c)
	for name, value := range o {
		if before, has := c[name]; has {
			value = merged(before, value)
		}
		all[name] = value
	}
	return all
}

// members reads the body as an object; an empty one has no members.
func (x *exchange) members() (map[string]any, error) {
	body, err := x.opaBody()
	if err != nil || len(body) == 0 {
		return nil, err
	}
	return authzen.ParseObject(body)
}

// opaBody reads a body as clients of OPA send it: YAML where the Content-Type says so, and JSON otherwise, whatever it
// says. White space alone is an empty body.
func (x *exchange) opaBody() ([]byte, error) {
	body, err := x.plain(authzen.MaxBody)
	if err != nil {
		return nil, err
	}
	if saysYAML(x.r.Header["Content-Type"]) && !json.Valid(body) {
		body, err = yamlAsJSON(body)
	}
	return bytes.TrimSpace(body), err
}

// saysYAML says whether a Content-Type is one of those that YAML has.
func saysYAML(contentType []string) bool {
	return slices.ContainsFunc(contentType, func(sent string) bool { return strings.Contains(strings.ToLower(sent), "yaml") })
}
