package httpapi

import (
	"bytes"
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

// asked says whether a parameter is there, bare or as true.
func asked(query url.Values, name string) bool {
	values := query[name]
	return len(values) == 1 && values[0] == "" ||
		slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "true") })
}

// input reads the input of a request for a document: the member of the body, or the parameter of a GET.
func (x *exchange) input(query url.Values) (pdp.DataInput, error) {
	if x.r.Method == http.MethodGet {
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

// inputs reads those of a batch.
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
	return inputs, nil
}

// members reads the body as an object; an empty one has no members.
func (x *exchange) members() (map[string]any, error) {
	body, err := x.opaBody()
	if err != nil || len(body) == 0 {
		return nil, err
	}
	return authzen.ParseObject(body)
}

// opaBody reads a body as clients of OPA send it: JSON that need not say so. White space alone is an empty body.
func (x *exchange) opaBody() ([]byte, error) {
	if sent := x.r.Header["Content-Type"]; len(sent) > 0 && !isJSON(sent) {
		return nil, invalid(notJSON)
	}
	body, err := x.plain(authzen.MaxBody)
	return bytes.TrimSpace(body), err
}
