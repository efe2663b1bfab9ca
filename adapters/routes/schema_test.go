package routes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pb33f/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// validator returns a function that validates a YAML document by the schema.
func validator(t *testing.T) func(string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("routes.json", document))
	schema, err := compiler.Compile("routes.json")
	require.NoError(t, err)
	return func(text string) error {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// fileWith returns a file whose one route has additional keys.
func fileWith(keys string) string {
	if keys != "" {
		keys = ", " + keys
	}
	return jwtFile + "routes: [{path: '/u/{id}', methods: [GET], action: a, resource: {id: {path: id}}" + keys + "}]\n"
}

const jwtFile = "version: 1\nsubject: {jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [ES256]}}\n"

// routeFile returns a file with one route.
func routeFile(route string) string { return jwtFile + "routes:\n- " + route + "\n" }

func subjectFile(subject string) string {
	return "version: 1\nsubject: " + subject + "\nroutes: [{path: /, methods: [GET], public: true}]\n"
}

var goodFiles = []string{
	"version: 1\nroutes: [{path: /, methods: [GET], public: true}]\n",
	"{\"version\": 1, \"routes\": [{\"path\": \"/\", \"methods\": [\"GET\"], \"public\": true}]}",
	fileWith(""),
	fileWith("host: admin.example.org"), fileWith("host: '[::1]'"), fileWith("host: 10.0.0.1"), fileWith("host: my_app"),
	fileWith("location: x"), fileWith("location: {path: id}"), fileWith("location: {query: l, optional: true}"),
	fileWith("location: {query: user.id}"), fileWith("location: {header: X-L}"), fileWith("location: {claim: 'https://x/l'}"),
	fileWith("location: {body: /a/0/b~1c~0}"), fileWith("location: {body: /}"), fileWith("location: {query: l, optional: false}"),
	fileWith("current_location: metro"), fileWith("confirmed: true"), fileWith("confirmed: {query: sure}"),
	fileWith("properties: {}"), fileWith("properties: {a: text, b: 1, c: -2.5e3, d: true, e: [x, 1, false], f: [], g: {path: id}}"),
	fileWith("properties: {location: x}"),
	routeFile("{path: /x, methods: [GET, PURGE], action: {body: /method}, resource: {type: thing, id: fixed, properties: {a: {query: a}}}}"),
	routeFile("{path: '/ü/a b/{x}/{y...}', methods: [GET], action: a, resource: {id: {path: x}}}"),
	routeFile("{path: /x, methods: [GET], action: a, resource: {id: '4711'}}"),
	subjectFile("{header: X-Remote-User}"),
	subjectFile("{jwt: {keys: 'http://127.0.0.1:8080/k', issuer: i, audience: a, algorithms: [RS256, EdDSA]}}"),
	subjectFile("{jwt: {keys_file: /k, issuer: i, audience: a, algorithms: [PS256], claim: uid, cookie: __Host-session}}"),
	"version: 1\nsupported_obligations: [notification, custom/confirm]\ndefaults: {host: a.b, current_location: {claim: l}, confirmed: {header: X-C, optional: true}}\n" +
		"subject: {jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [ES256]}}\n" +
		"routes: [{path: /, methods: [GET], action: a, resource: {id: x}}]\n",
	"version: 1\ndefaults: {}\nsupported_obligations: []\nroutes: [{path: /, methods: [GET], public: true}]\n",
}

// badFiles maps files to their fault. The schema refuses them too, unless the fault begins with a tilde: a schema cannot
// detect it.
var badFiles = map[string]string{
	"":            "line 1, column 1: the file is empty: begin it with version: 1",
	"# nothing\n": "line 1, column 1: the file is empty: begin it with version: 1",
	"routes: [\n": "line 1: this is not YAML: did not find expected node content",
	routeFile("{path: /u/{id}, methods: [GET], public: true}"): "line 3: this is not YAML: did not find expected ',' or '}'; within { } put a path with parameters in quotes",
	"- a\n":                    "line 1, column 1: the file is not a mapping: write it as keys with values",
	"version: 1\n":             "line 1, column 1: routes is missing: list at least one route",
	"version: 1\nroutes: []\n": "line 2, column 9: routes is empty: list at least one route",
	"version: 1\nroutes: x\n":  "line 2, column 9: routes is not a list: write it as [A, B] or as lines that begin with a hyphen",
	"routes: [{path: /, methods: [GET], public: true}]\n":                                              "line 1, column 1: version is missing: begin the file with version: 1",
	"version: 2\nroutes: [{path: /, methods: [GET], public: true}]\n":                                  "line 1, column 10: version is not 1: write version: 1, the only one that there is",
	"version: '1'\nroutes: [{path: /, methods: [GET], public: true}]\n":                                "line 1, column 10: version is not 1: write version: 1, the only one that there is",
	"version: 1\nroute: []\nroutes: [{path: /, methods: [GET], public: true}]\n":                       `line 2, column 1: "route" is not a key of the file: use version, subject, supported_obligations, defaults, routes`,
	"version: 1\nversion: 1\nroutes: [{path: /, methods: [GET], public: true}]\n":                      `line 2, column 1: "version" is there twice, first in line 1: remove one of them`,
	"version: 1\nroutes: [{path: /, methods: [GET], public: true}]\n---\n{}\n":                         `~line 3, column 1: a second document begins: remove it`,
	"version: 1\n1: 2\nroutes: [{path: /, methods: [GET], public: true}]\n":                            `line 2, column 1: a key of the file is not a text: put it in quotes if it is meant`,
	"version: 1\nsupported_obligations: [a, a]\nroutes: [{path: /, methods: [GET], public: true}]\n":   `line 2, column 28: "a" is there twice: remove one of them`,
	"version: 1\nsupported_obligations: [custom]\nroutes: [{path: /, methods: [GET], public: true}]\n": `line 2, column 24: the obligation custom is not supported as such: name its action, as in custom/confirm`,
	"version: 1\nsupported_obligations: [a/b]\nroutes: [{path: /, methods: [GET], public: true}]\n":    `line 2, column 24: "a/b" is not an obligation type: only custom has an action, as in custom/confirm`,
	"version: 1\nsupported_obligations: [1]\nroutes: [{path: /, methods: [GET], public: true}]\n":      `line 2, column 25: an obligation type is not a text: put it in quotes if it is meant`,
	"version: 1\nroutes: [{path: /, methods: [GET], action: a, resource: {id: x}}]\n":                  "~line 2, column 9: subject is missing: say who the person is, by jwt or by header",
	"version: 1\nroutes: [&r {path: /, methods: [GET], public: true}, *r]\n":                           "~line 2, column 54: a route is an alias: write the value itself",
	"version: 1\nroutes: [7]\n": "line 2, column 10: a route is not a mapping: write it as keys with values",

	subjectFile("{}"): "line 2, column 10: subject has not exactly one of jwt and header: say in one way who the person is",
	subjectFile("{header: X-U, jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [ES256]}}"): "line 2, column 10: subject has not exactly one of jwt and header: say in one way who the person is",
	subjectFile("{header: X_U}"):                          `line 2, column 19: "X_U" is not a name of a header: use letters, digits and hyphens`,
	subjectFile("{header: Cookie}"):                       `line 2, column 19: the header Cookie cannot be drawn from: proxies act on it, or requests with it are refused`,
	subjectFile("{header: X-Wardkeeper-Subject}"):         `line 2, column 19: the header X-Wardkeeper-Subject cannot be drawn from: requests with a header that begins with X-Wardkeeper- are refused`,
	subjectFile("{header: x-wardkeeper-}"):                `line 2, column 19: the header x-wardkeeper- cannot be drawn from: requests with a header that begins with X-Wardkeeper- are refused`,
	subjectFile("{header: X-Request-Id}"):                 `line 2, column 19: the header X-Request-Id cannot be drawn from: proxies and adapters set it themselves`,
	fileWith("location: {header: x-wardkeeper-location}"): `line 3, column 102: the header x-wardkeeper-location cannot be drawn from: requests with a header that begins with X-Wardkeeper- are refused`,
	fileWith("location: {header: X-Forwarded-Host}"):      `line 3, column 102: the header X-Forwarded-Host cannot be drawn from: proxies and adapters set it themselves`,
	"version: 1\ndefaults: {at_least: {header: X-Wardkeeper-At-Least}}\nroutes: [{path: /, methods: [GET], public: true}]\n": `line 2, column 31: the header X-Wardkeeper-At-Least cannot be drawn from: requests with a header that begins with X-Wardkeeper- are refused`,
	subjectFile("{header: X-Original-URL}"): `line 2, column 19: the header X-Original-URL cannot be drawn from: proxies act on it, or requests with it are refused`,
	subjectFile("{jwt: x}"):                 `line 2, column 16: jwt is not a mapping: write it as keys with values`,
	subjectFile("{jwt: {keys: 'https://i/k', audience: a, algorithms: [ES256]}}"):                           `line 2, column 16: issuer is missing: write what a token has to have`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, algorithms: [ES256]}}"):                             `line 2, column 16: audience is missing: write what a token has to have`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, audience: a}}"):                                     `line 2, column 16: algorithms is missing: write what a token has to have`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: []}}"):                     `line 2, column 74: algorithms is empty: list those that the issuer signs with, such as [ES256]`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [none]}}"):                 `line 2, column 75: "none" is not an algorithm with a public key: use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [HS256]}}"):                `line 2, column 75: "HS256" is not an algorithm with a public key: use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
	subjectFile("{jwt: {issuer: i, audience: a, algorithms: [ES256]}}"):                                     `line 2, column 16: jwt has not exactly one of keys and keys_file: say in one way where the public keys are`,
	subjectFile("{jwt: {keys: 'https://i/k', keys_file: k, issuer: i, audience: a, algorithms: [ES256]}}"):  `line 2, column 16: jwt has not exactly one of keys and keys_file: say in one way where the public keys are`,
	subjectFile("{jwt: {keys: 'ftp://i/k', issuer: i, audience: a, algorithms: [ES256]}}"):                  `line 2, column 23: keys is not an https URL: write one without user, password and fragment (http only for this machine, or use keys_file)`,
	subjectFile("{jwt: {keys: 'http://i/k', issuer: i, audience: a, algorithms: [ES256]}}"):                 `~line 2, column 23: keys is not an https URL: write one without user, password and fragment (http only for this machine, or use keys_file)`,
	subjectFile("{jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [ES256], cookie: 'a b'}}"): `line 2, column 91: cookie "a b" is not a name of a cookie: write letters, digits, hyphens and underscores`,

	"version: 1\ndefaults: {location: x}\nroutes: [{path: /, methods: [GET], public: true}]\n":                  `line 2, column 12: "location" is not a key of defaults: use host, current_location, confirmed, at_least`,
	"version: 1\ndefaults: {current_location: {path: x}}\nroutes: [{path: /, methods: [GET], public: true}]\n":  `~line 2, column 30: a default draws from the path, which differs between routes: write it in the routes that have it`,
	"version: 1\ndefaults: {current_location: {body: /x}}\nroutes: [{path: /, methods: [GET], public: true}]\n": `~line 2, column 30: a default draws from the body, which differs between routes: write it in the routes that have it`,
	"version: 1\ndefaults: {host: A.B}\nroutes: [{path: /, methods: [GET], public: true}]\n":                    `line 2, column 18: host "A.B" is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot`,

	routeFile("{methods: [GET], public: true}"):                                                                  "line 4, column 3: path is missing: write the template of the path, such as /users/{id}",
	routeFile("{path: /, public: true}"):                                                                         "line 4, column 3: methods is missing: list the methods, such as [GET]",
	routeFile("{path: /, methods: [], public: true}"):                                                            "line 4, column 22: methods is empty: list the methods, such as [GET]",
	routeFile("{path: /, methods: [get], public: true}"):                                                         `line 4, column 23: "get" is not a method: write it in upper case, such as GET`,
	routeFile("{path: /, methods: [GET, GET], public: true}"):                                                    `line 4, column 28: GET is there twice: remove one of them`,
	routeFile("{path: /, methods: [TRACE], public: true}"):                                                       `line 4, column 23: TRACE is refused always: remove it`,
	routeFile("{path: /, methods: [CONNECT], public: true}"):                                                     `line 4, column 23: CONNECT is refused always: remove it`,
	routeFile("{path: /, methods: GET, public: true}"):                                                           `line 4, column 22: methods is not a list: write it as [A, B] or as lines that begin with a hyphen`,
	routeFile("{path: /, methods: [GET], public: false}"):                                                        `line 4, column 37: public is false: remove it, because every other route is asked about`,
	routeFile("{path: /, methods: [GET], public: yes}"):                                                          `line 4, column 37: public is neither true nor false: write one of them`,
	routeFile("{path: /, methods: [GET], public: true, action: a}"):                                              `line 4, column 43: action is for routes that are asked about, but this one is public: remove one of them`,
	routeFile("{path: /, methods: [GET], resource: {id: x}}"):                                                    `line 4, column 3: action is missing: name it, such as user.view, or write public: true`,
	routeFile("{path: /, methods: [GET], action: a}"):                                                            `line 4, column 3: resource is missing: say whom or what the request is about, such as {id: {path: id}}`,
	routeFile("{path: /, methods: [GET], action: a, resource: {}}"):                                              `line 4, column 50: id is missing: say whom or what the request is about, such as {path: id}`,
	routeFile("{path: /, methods: [GET], action: a, resource: x}"):                                               `line 4, column 50: resource is not a mapping: write it as keys with values`,
	routeFile("{path: /, methods: [GET], action: a, resource: {id: 7}}"):                                         `line 4, column 55: id is not a text: put it in quotes if it is meant`,
	routeFile("{path: /, methods: [GET], action: '', resource: {id: x}}"):                                        `line 4, column 37: action is empty: write a value, or remove the key`,
	routeFile("{path: /, methods: [GET], action: ~, resource: {id: x}}"):                                         `line 4, column 37: action is not a text: put it in quotes if it is meant`,
	routeFile("{path: /, methods: [GET], action: a, resource: {id: {query: x, optional: true}}}"):                `line 4, column 55: id is in every question: remove optional`,
	routeFile("{path: /, methods: [GET], action: {query: x, optional: true}, resource: {id: x}}"):                `line 4, column 37: action is in every question: remove optional`,
	routeFile("{path: /, methods: [GET], action: a, resource: {id: x, properties: {location: x}}, location: y}"): `~line 4, column 86: location is a property of the resource too: write it once`,
	routeFile("{path: users, methods: [GET], public: true}"):                                                     `line 4, column 10: path "users" does not begin with a slash: write it as /users/{id}`,
	routeFile("{path: '/a//b', methods: [GET], public: true}"):                                                   `~line 4, column 10: path "/a//b" matches no request, because such requests are refused: the path has an empty segment (//): send single slashes`,
	routeFile("{path: '/a/../b', methods: [GET], public: true}"):                                                 `~line 4, column 10: path "/a/../b" matches no request, because such requests are refused: the path has a dot segment: send the path that is meant`,
	routeFile("{path: '/a.', methods: [GET], public: true}"):                                                     `~line 4, column 10: path "/a." matches no request, because such requests are refused: a segment of the path ends with a dot or a space: some programs drop it`,
	routeFile("{path: '/a;b', methods: [GET], public: true}"):                                                    `~line 4, column 10: path "/a;b": it has ';', which no accepted request has in its path: remove it`,
	routeFile("{path: '/a?b', methods: [GET], public: true}"):                                                    `~line 4, column 10: path "/a?b": it has '?', which no accepted request has in its path: remove it`,
	routeFile("{path: '/%61', methods: [GET], public: true}"):                                                    `~line 4, column 10: path "/%61": it has a percent sign: write the character itself that is meant`,
	routeFile("{path: '/{a}.json', methods: [GET], public: true}"):                                               `~line 4, column 10: path "/{a}.json": a parameter is a whole segment: put slashes around it`,
	routeFile("{path: '/{}', methods: [GET], public: true}"):                                                     `~line 4, column 10: path "/{}": {} is not a parameter: name it with letters, digits and underscores`,
	routeFile("{path: '/{a-b}', methods: [GET], public: true}"):                                                  `~line 4, column 10: path "/{a-b}": {a-b} is not a parameter: name it with letters, digits and underscores`,
	routeFile("{path: '/{a...}/b', methods: [GET], public: true}"):                                               `~line 4, column 10: path "/{a...}/b": {a...} takes the rest of a path: make it the last segment`,
	routeFile("{path: '/{a}/{a}', methods: [GET], public: true}"):                                                `~line 4, column 10: path "/{a}/{a}": the parameter a is there twice: rename one of them`,
	routeFile("{path: '/" + strings.Repeat("a/", 64) + "', methods: [GET], public: true}"):                       `~line 4, column 10: path has more than 64 segments: shorten it`,
	routeFile("{path: '/" + strings.Repeat("a", 8192) + "', methods: [GET], public: true}"):                      `line 4, column 10: path is longer than 8192 bytes: shorten it`,

	fileWith("host: a.b:80"):                                      `line 3, column 89: host "a.b:80" is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot`,
	fileWith("host: a.b."):                                        `line 3, column 89: host "a.b." is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot`,
	fileWith("host: '*.b'"):                                       `line 3, column 89: host "*.b" is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot`,
	fileWith("Location: x"):                                       `line 3, column 83: "Location" is not a key of a route: use path, host, methods, public, action, properties, resource, location, current_location, confirmed, at_least`,
	fileWith("location: {}"):                                      `line 3, column 93: a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from`,
	fileWith("location: {path: id, query: l}"):                    `line 3, column 93: a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from`,
	fileWith("location: {cookie: l}"):                             `line 3, column 94: "cookie" is not a key of a reference: use path, query, header, claim, body, optional`,
	fileWith("location: {path: name}"):                            `~line 3, column 100: the path has no parameter name: write {name} into it, or correct the name`,
	fileWith("location: {query: 'l[]'}"):                          `line 3, column 101: "l[]" is not a name of a query parameter that every program reads alike: use letters, digits, hyphens, underscores and dots`,
	fileWith("location: {query: _method}"):                        `~line 3, column 101: requests with the query parameter _method are refused: draw the value from elsewhere`,
	fileWith("location: {query: l}, properties: {l: {query: L}}"): `~line 3, column 101: the query parameters L and l are the same to some programs: draw from one of them`,
	fileWith("location: {header: X-L}, confirmed: {header: X_L}"): `line 3, column 128: "X_L" is not a name of a header: use letters, digits and hyphens`,
	fileWith("location: {header: authorization}"):                 `line 3, column 102: the header authorization cannot be drawn from: proxies act on it, or requests with it are refused`,
	fileWith("location: {body: role}"):                            `line 3, column 100: "role" is not a JSON pointer: write it as /role or /items/0/id`,
	fileWith("location: {body: /a~2}"):                            `line 3, column 100: "/a~2" is not a JSON pointer: write it as /role or /items/0/id`,
	fileWith("location: {body: ''}"):                              `line 3, column 100: body is empty: write a value, or remove the key`,
	fileWith("location: {query: l, optional: 1}"):                 `line 3, column 114: optional is neither true nor false: write one of them`,
	fileWith("location: [a]"):                                     `line 3, column 93: location is not a text: write one value`,
	fileWith("location: " + strings.Repeat("x", 1025)):            `line 3, column 93: location is longer than 1024 bytes: shorten it`,
	fileWith("location: \"a\\tb\""):                               `line 3, column 93: location has a control character or is not UTF-8: remove it`,
	fileWith("confirmed: 'true'"):                                 `line 3, column 94: confirmed is neither true nor false: write one of them`,
	fileWith("properties: {a: ~}"):                                `line 3, column 99: a is not a text: put it in quotes if it is meant`,
	fileWith("properties: {a: 0x10}"):                             `~line 3, column 99: a is a number that JSON does not have: write it in decimal, or put it in quotes`,
	fileWith("properties: {a: .inf}"):                             `line 3, column 99: a is a number that JSON does not have: write it in decimal, or put it in quotes`,
	fileWith("properties: {a: [[x]]}"):                            `line 3, column 100: an element of a is not a text: write one value`,
	fileWith("properties: [a]"):                                   `line 3, column 95: properties is not a mapping: write it as keys with values`,
	fileWith("properties: {'': a}"):                               `line 3, column 96: the name of a property is empty or has a control character: write another one`,
	"version: 1\nsubject: {header: X-U}\nroutes: [{path: /, methods: [GET], action: a, resource: {id: {claim: c}}}]\n":    `~line 3, column 70: there are no claims without a token: use subject.jwt, or draw the value from elsewhere`,
	"version: 1\nsubject: {header: X-U}\nroutes: [{path: /, methods: [GET], action: a, resource: {id: {header: x-u}}}]\n": `~line 3, column 71: the header x-u names the person: draw the value from elsewhere`,
}

func TestSchemaAndParserAgree(t *testing.T) {
	validate := validator(t)
	for _, text := range goodFiles {
		_, err := Parse([]byte(text))
		require.NoError(t, err, text)
		require.NoError(t, validate(text), text)
	}
	for text, fault := range badFiles {
		_, err := Parse([]byte(text))
		fault, parserAlone := strings.CutPrefix(fault, "~")
		if err == nil || err.Error() != fault {
			t.Errorf("%s\nwant %s\ngot  %v", text, fault, err)
		}
		require.Equal(t, parserAlone, validate(text) == nil, "%s: %v", text, validate(text))
	}
}

func TestExampleIsValidBySchema(t *testing.T) {
	table := example(t)
	require.Len(t, table.Routes(), 5)
}

func TestEveryFaultIsReported(t *testing.T) {
	_, err := Parse([]byte(`version: 2
subject: {header: "X U"}
extra: 1
routes:
- {path: a, methods: [get], action: "", resource: {id: {path: x}}}
- {path: /b, methods: [GET], public: true}
- {path: /b, methods: [POST, GET], public: true}
- {path: '/{c}', methods: [PUT], public: true}
- {path: '/{d}', methods: [POST], public: true}
- 7
`))
	var faults Faults
	require.ErrorAs(t, err, &faults)
	var lines []string
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("%d:%d", f.Line, f.Column))
	}
	require.Equal(t, []string{"1:10", "2:19", "3:1", "5:10", "5:23", "5:37", "7:3", "9:3", "10:3"}, lines, err.Error())
}
