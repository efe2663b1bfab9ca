package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

const exampleRoutes = "../../adapters/routes/example.yaml"

const routesHead = `version: 1
subject: {header: X-Remote-User}
routes:
`

func TestRoutesCheckPrintsEveryFault(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "routes.yaml", routesHead+`- {path: /a, methods: [get], public: true}
- {path: /b, methods: [GET], acton: x, resource: {id: y}}
`)
	require.Equal(t, result{status: statusNo, out: path + `:4:24: "get" is not a method: write it in upper case, such as GET
` + path + `:5:3: action is missing: name it, such as user.view, or write public: true
` + path + `:5:30: "acton" is not a key of a route: use path, host, methods, public, action, properties, resource, location, current_location, confirmed, at_least
`}, run(t, nil, "routes", "check", path))
	require.Equal(t, statusFailed, run(t, nil, "routes", "explain", path, "GET", "/a").status)

	got := run(t, nil, "routes", "check", path+".no")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "cannot read the route file")
}

func TestRoutesCheckWarnsOfActions(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "routes.yaml", routesHead+`- {path: /a, methods: [GET], action: user.veiw, resource: {id: x}}
- {path: /b, methods: [GET], action: user.list, resource: {id: x}}
- {path: /c, methods: [GET], action: account.read, resource: {type: account, id: x}}
- {path: /rpc, methods: [POST], action: {body: /method}, resource: {id: {body: /params/id}}}
- {path: '/{page...}', methods: [GET], public: true}
`)
	require.Equal(t, result{status: statusOK, out: path + ` is valid: 5 routes, 1 of them public
  line  methods  path        asks
  ----  -------  ----        ----
  4     GET      /a          user.veiw on user
  5     GET      /b          user.list on user
  6     GET      /c          account.read on account
  7     POST     /rpc        an action of the request, on user
  8     GET      /{page...}  nothing: public
warning: ` + path + `:8: this public route takes other spellings of /a in line 4, such as upper case or a final slash: make sure that the application answers none of them, or narrow the path
warning: ` + path + `:4:38: the policy has no action "user.veiw": did you mean user.view? correct it, or name the policy that has it with --bundle
warning: ` + path + `:5:38: the action user.list is about resources of type location, not user: write resource: {type: location, id: ...}
warning: ` + path + `:6:38: the policy has no action "account.read": correct it, or name the policy that has it with --bundle
`}, run(t, nil, "routes", "check", path))
}

// The key file may be elsewhere where the route file is used.
func TestRoutesCheckWarnsOfTheKeyFile(t *testing.T) {
	path := writeFile(t, "routes.yaml", "version: 1\nsubject: {jwt: {keys_file: /nonexistent.json, issuer: a, audience: b, algorithms: [ES256]}}\n"+
		"routes: [{path: /users, methods: [GET], action: user.list, resource: {type: location, id: all}}]\n")
	got := run(t, nil, "routes", "check", path)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "warning: "+path+":2:28: the file with the issuer's keys cannot be read: stat /nonexistent.json: no such file or directory\n")
}

func TestRoutesCheckWarnsOfParametersOfOtherPrograms(t *testing.T) {
	path := writeFile(t, "routes.yaml", `version: 1
routes:
- {path: /a/*, methods: [GET], public: true}
- {path: "/b/:id/c", methods: [GET], public: true}
- {path: /c/<id>, methods: [GET], public: true}
- {path: "/d/[id]", methods: [GET], public: true}
- {path: "/fhir/Patient/$export", methods: [GET], public: true}
- {path: "/v1/users:batch", methods: [GET], public: true}
`)
	got := run(t, nil, "routes", "check", path)
	require.Equal(t, statusOK, got.status, got)
	for line, segment := range map[int]string{3: "* of the path /a/*", 4: ":id of the path /b/:id/c", 5: "<id> of the path /c/<id>", 6: "[id] of the path /d/[id]"} {
		require.Contains(t, got.out, fmt.Sprintf("warning: %s:%d: the segment %s takes that text alone: write {name} for one segment, and {name...} for the rest of a path\n", path, line, segment))
	}
	require.Equal(t, 4, strings.Count(got.out, "warning: "), got.out)
}

func TestRoutesExplain(t *testing.T) {
	t.Parallel()
	const claims = `--claims={"sub": "alice", "location": "metro"}`
	body := writeFile(t, "body.json", `{"location": "ghi", "role": "ed_normal"}`)
	explain := func(args ...string) result {
		return run(t, nil, append([]string{"routes", "explain", exampleRoutes}, args...)...)
	}
	require.Equal(t, result{out: "ASKED  POST /users/jane/assignments\n  route    " + exampleRoutes + ":29 /users/{id}/assignments\n" +
		`  asks     {"subject":{"type":"user","id":"alice"},"action":{"name":"assignment.add","properties":{"role":"ed_normal"}},` +
		`"resource":{"type":"user","id":"jane","properties":{"location":"ghi"}},"context":{"current_location":"metro","supported_obligations":["notification"]}}` + "\n",
	}, explain("POST", "HTTPS://admin.example.org:443/users/j%61ne/assignments", claims, "--body", body))
	require.Equal(t, result{out: "PUBLIC  HEAD /static/a.css\n  route    " + exampleRoutes + ":12 /static/{rest...}\n"}, explain("HEAD", "/static/a.css?x=%zz"))
	require.Equal(t, result{status: statusNo, out: "DENIED  PUT /users/jane\n  because  No route matches.\n  but      " + exampleRoutes + ":19 has this path for GET\n"},
		explain("PUT", "/users/jane"))

	for _, c := range []struct{ args, want []string }{
		{[]string{"GET", "/users/jane"}, []string{"REFUSED  GET /users/jane\n", "Nobody is signed in", "(401)", "--claims"}},
		{[]string{"GET", "/users/jane", "--header", "Authorization: Bearer x"}, []string{"(503)", "--claims"}},
		{[]string{"GET", "/users/jane", `--claims={"sub": "alice"}`}, []string{"  because  The claim location of the token is missing.  (401)\n"}},
		{[]string{"GET", "/users/jane", claims, "--header", "X-Original-URL: /x"}, []string{"(400)"}},
		{[]string{"GET", "/users/jane", claims, "--header", "Host: a", "--header", "host: b"}, []string{"(400)"}},
		{[]string{"GET", "/users/\x1b[31m", claims}, []string{`REFUSED  GET /users/\u001b[31m`, "(400)"}},
		{[]string{"DELETE", "/users/jane/assignments/ghi", claims, "--header", "x_confirmed: true"}, []string{"another spelling", "(400)"}},
	} {
		got := explain(c.args...)
		require.Equal(t, statusNo, got.status, got)
		for _, text := range c.want {
			require.Contains(t, got.out, text)
		}
	}
	for _, args := range [][]string{
		{"GET", "/", "--claims", "[]"}, {"GET", "/", "--claims", `{"a":1,"a":2}`}, {"GET", "/", "--header", "x"}, {"GET", "/", "--body", "/no/such"}, {"GET"},
	} {
		got := explain(args...)
		require.Equal(t, statusFailed, got.status, got)
		require.NotEmpty(t, got.err)
	}
}

func TestRoutesExplainTakesThePersonFromAHeader(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "routes.yaml", routesHead+"- {path: /a, methods: [GET], action: user.view, resource: {id: x}}\n")
	got := run(t, nil, "routes", "explain", path, "GET", "/a", "--header", "X-Remote-User: alice")
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, `"id":"alice"`)
	const advice = "Name the person as the proxy does: --header 'X-Remote-User: alice'"
	require.Contains(t, run(t, nil, "routes", "explain", path, "GET", "/a").out, "Nobody is signed in.  (401)\n  advice   "+advice+".\n")
	got = run(t, nil, "routes", "explain", path, "GET", "/a", "--claims", `{"sub": "alice"}`)
	require.Equal(t, result{status: statusFailed, err: "wardkeeper: --claims are those of a token, which this route file does not have: " + advice + "\n"}, got)
}

func TestRoutesSchemaIsThatOfThePackage(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "routes", "schema")
	require.Equal(t, result{out: routes.Schema}, got)
	require.True(t, json.Valid([]byte(got.out)))
	file, err := os.ReadFile("../../adapters/routes/schema.json")
	require.NoError(t, err)
	require.Equal(t, string(file), got.out)
}
