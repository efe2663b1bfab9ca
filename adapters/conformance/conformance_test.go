package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// build builds the sample application of an adapter, with some files replaced.
func build(t *testing.T, adapter string, replaced map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	binary := filepath.Join(dir, "sample")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary,
		"github.com/wardkeeper/wardkeeper/adapters/"+adapter+"/sample").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

func TestGoAdaptersConform(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and drives other programs")
	}
	t.Parallel()
	for _, adapter := range []string{"nethttp", "echo"} {
		t.Run(adapter, func(t *testing.T) {
			t.Parallel()
			var out, problems strings.Builder
			status := command(t.Context(), []string{"-hostile", "-golden", "../../testdata/decisions", "--", build(t, adapter, nil)}, &out, &problems)
			assert.Equal(t, statusConforms, status, out.String()+problems.String())
			assert.Regexp(t, `(?m)^\d{3} passed, 0 failed$`, out.String())
		})
	}
}

// broken is a change to the Go adapters that breaks a duty.
type broken struct {
	duty, file, old, new string
}

var mutations = []broken{
	{"PEP-1", "client/response.go", "resp.StatusCode != http.StatusOK", "resp.StatusCode >= 500"},
	{"PEP-1", "client/response.go", "len(types) != 1 || ", "len(types) > 2 || "},
	{"PEP-1", "client/response.go", "!isJSON(types[0])", `types[0] == "text/html"`},
	{"PEP-1", "client/response.go", `len(resp.Header.Values("Content-Encoding")) > 0`, `resp.Header.Get("Content-Encoding") == "br"`},
	{"PEP-1", "client/response.go", `"Content-Encoding")) > 0 {`, `"Content-Encoding")) > 0 && resp.Header.Get("Content-Encoding") != "" {`},
	{"PEP-1", "client/response.go", `(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$`, `(?:;.*)?$`},
	{"PEP-1", "client/response.go", `(len(got) > 1 || got[0] != id)`, "len(got) > 2"},
	{"PEP-1", "client/response.go", `(len(got) > 1 || got[0] != id)`, "got[0] != id"},
	{"PEP-1", "client/client.go", "authzen.DecodeResponse(body)", lenient},
	{"PEP-1", "client/client.go", "case err != nil:\n\t\treturn a, false, unreachable(ctx, err)", "case false:"},
	{"PEP-1", "pep/answer.go", "problem != nil {", "problem == 1 {"},
	{"PEP-1", "pep/answer.go", `o.ID == "" || o.Type == "" ||`, "false ||"},
	{"PEP-2", "client/client.go", "return http.ErrUseLastResponse", "return nil"},
	{"PEP-3", "pep/enforcer.go", "= e.supported\n", "= []any{}\n"},
	{"PEP-3", "pep/enforcer.go", `q.Context["supported_obligations"] = e.supported`, ""},
	{"PEP-4", "pep/enforcer.go", "case unhandled != nil:", "case false:"},
	{"PEP-4", "pep/enforcer.go", "!ok || !h.can(obligation):", "!ok:"},
	{"PEP-4", "pep/enforcer.go", "can = recover() == nil && can", "can = recover() != nil || can"},
	{"PEP-4", "pep/enforcer.go", ", run(ctx, o.todo, Handler.after))", ")"},
	{"PEP-4", "pep/answer.go", `return custom + "/" + action`, "return Confirm + action[:0]"},
	{"PEP-4", "nethttp/middleware.go", "recorder.status >= http.StatusBadRequest", "false"},
	{"PEP-4", "nethttp/middleware.go", "result.Outcome.Done(context.WithoutCancel(r.Context()))", "error(nil)"},
	{"PEP-4", "echo/middleware.go", "return err // echo answers with it", "_ = result.Outcome.Done(r.Context())\n\t\t\t\treturn err"},
	{"PEP-4", "echo/middleware.go", "result.Outcome.Done(context.WithoutCancel(r.Context()))", "context.Background().Err()"},
	{"PEP-5", "pep/enforcer.go", "responses, err := e.decide(ctx, asked)", remembering},
	{"PEP-6", "client/client.go", "if len(questions) == 1 {", separately + "if len(questions) == 1 {"},
	{"PEP-6", "client/client.go", "if len(answers) != len(chunk) {", "for len(answers) < len(chunk) { answers = append(answers, authzen.Response{Decision: true}) }\n\t\tif false {"},
	{"PEP-7", "client/client.go", `{"X-Request-ID", trace.RequestID}, `, ""},
	{"PEP-7", "client/client.go", `{"Traceparent", trace.Traceparent}, `, ""},
	{"PEP-7", "pep/trace.go", "len(ids) == 1 && isRequestID(ids[0])", "false"},
	{"PEP-7", "pep/trace.go", `strings.Join(states, ",")`, "states[0]"},
	{"PEP-7", "routes/draw.go", "{r.atLeast, textForm, &e.Context},", ""},
	{"PEP-8", "client/client.go", "client.timeout = time.Second", "client.timeout = time.Minute"},
	{"PEP-8", "client/client.go", "if broke && ctx.Err() == nil {", "if broke && false {"},
	{"PEP-8", "client/client.go", "if broke && ctx.Err() == nil {", "if broke || err != nil {"},
	{"PEP-8", "client/client.go", "client.maxResponse = 1 << 20", "client.maxResponse = 1 << 30"},
	{"PEP-8", "client/client.go", "connections = 64", "connections = 1000"},
	{"PEP-8", "client/client.go", "DisableCompression:     true,", "DisableCompression: true, DisableKeepAlives: true,"},
	{"PEP-8", "identity/remote.go", "own.Timeout = fetchTimeout", ""},
	{"PEP-9", "pep/refusal.go", "Status: http.StatusServiceUnavailable", "Status: http.StatusForbidden"},
	{"PEP-9", "pep/refusal.go", "Status: http.StatusUnauthorized", "Status: http.StatusForbidden"},
	{"PEP-9", "pep/refusal.go", "if wantsPage(accept) {", "if false {"},
	{"PEP-9", "pep/refusal.go", "h.Set(\"Retry-After\", \"1\")", ""},
	{"PEP-9", "pep/refusal.go", "Reasons: o.Reasons, Advice: o.Advice}", "Reasons: o.Reasons}"},
	{"PEP-9", "pep/enforcer.go", "o.Verdict, o.Reasons = ConfirmationRequired, nil", "o.Verdict = Permitted"},
	{"PEP-10", "client/client.go", "c.TLS.Clone()", "&tls.Config{InsecureSkipVerify: true}"},
	{"PEP-10", "client/client.go", "c.TLS.Clone()", "nil"},
	{"PEP-10", "client/client.go", "established.Load() && !began.Load() && !isRefusal(err)", "!began.Load()"},
	{"PEP-10", "client/conn.go", `network, address = "unix", d.socket`, ""},
	{"PEP-10", "client/client.go", `h.Set("Authorization", "Bearer "+token)`, ""},
	{"PEP-11", "check/check.go", `"code", refusal.Code,`, `"code", refusal.Code, "path", resolution.Path,`},
	{"PEP-11", "check/check.go", `"code", refusal.Code,`, `"code", refusal.Code, "subject", resolution.Evaluation.Subject.ID,`},
	{"PEP-11", "check/check.go", `"code", refusal.Code,`, `"code", refusal.Code, "detail", refusal.Detail,`},
	{"PEP-12", "routes/target.go", "strings.IndexByte(`/\\%;?#`,", "strings.IndexByte(``,"},
	{"PEP-12", "routes/target.go", "if !utf8.ValidString(decoded) {", "if false {"},
	{"PEP-12", "routes/resolve.go", "if err := checkHeaders(r.Header); err != nil {", "if err := error(nil); err != nil {"},
	{"PEP-12", "routes/value.go", "strings.TrimFunc(text, isInvisible) != text:", "strings.TrimFunc(text, isInvisible) == \"\\x00\":"},
	{"PEP-12", "routes/value.go", "if !isExact(v) {", "if false {"},
	{"PEP-13", "identity/verifier.go", "now.Before(expires.Add(v.leeway))", "now.Before(expires.Add(1 << 60))"},
	{"PEP-13", "identity/verifier.go", `if m["iss"] != v.issuer {`, "if false {"},
	{"PEP-13", "identity/verifier.go", "!slices.Contains(audiences, any(v.audience))", "len(audiences) == 0"},
	{"PEP-13", "identity/verifier.go", "algorithms[h.algorithm]()); err == nil {", "algorithms[h.algorithm]()); err == nil || true {"},
	{"PEP-14", "check/check.go", "case routes.Question:\n\tdefault:", "case routes.Question:\n\tcase routes.NoRoute:\n\t\treturn Result{Pass: true}\n\tdefault:"},
}

const (
	// lenient decodes an answer as encoding/json does.
	lenient = `func() (authzen.Response, error) {
		var v struct {
			Decision bool
			Context  map[string]any
		}
		err := json.NewDecoder(bytes.NewReader(body)).Decode(&v)
		return authzen.Response{Decision: v.Decision, Context: v.Context}, err
	}()`
	remembering = `key := fmt.Sprint(asked)
	responses, err := memory[key], error(nil)
	if responses == nil {
		responses, err = e.decide(ctx, asked)
		memory[key] = responses
	}`
	separately = `if len(questions) > 1 {
		var all []authzen.Response
		for _, q := range questions {
			one, err := c.Decide(ctx, []authzen.Evaluation{q})
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	`
)

// Each change is one that somebody could make by mistake. The suite must name the duty that it breaks.
func TestEveryBrokenDutyIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and drives other programs")
	}
	t.Parallel()
	found := map[string]bool{}
	for _, m := range mutations {
		found[m.duty] = true
		t.Run(m.duty+" "+m.file+" "+m.new[:min(len(m.new), 30)], func(t *testing.T) {
			t.Parallel()
			original, err := filepath.Abs(filepath.Join("..", m.file))
			require.NoError(t, err)
			data, err := os.ReadFile(original)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(data), m.old), "%s has changed: %q must be in it once", m.file, m.old)
			memory := "" // storage for an adapter that caches verdicts
			if m.duty == "PEP-5" {
				memory = "\nvar memory = map[string][]authzen.Response{}\n"
			}
			mutant := filepath.Join(t.TempDir(), "mutant.go")
			require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(data), m.old, m.new, 1)+memory), 0o600))
			adapter := "nethttp"
			if strings.HasPrefix(m.file, "echo/") {
				adapter = "echo"
			}
			binary := build(t, adapter, map[string]string{original: mutant})
			var out, problems strings.Builder
			status := command(t.Context(), []string{"-only", m.duty, "--", binary}, &out, &problems)
			assert.Equal(t, statusBreaks, status, "nothing is said of %q in place of %q in %s:\n%s%s", m.new, m.old, m.file, out.String(), problems.String())
			assert.Contains(t, out.String(), "broken: "+m.duty)
		})
	}
	contract, err := os.ReadFile("../CONTRACT.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(contract)) {
		if duty, ok := strings.CutPrefix(line, "**PEP-"); ok {
			id, _, _ := strings.Cut("PEP-"+duty, ".")
			assert.True(t, found[id], "no change breaks the duty %s", id)
		}
	}
}

// Each change lets the application get something else than what was judged.
func TestHostileRequestsFindWhatWasNotJudged(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and drives other programs")
	}
	t.Parallel()
	const serve = "next.ServeHTTP(recorder, r.WithContext(check.WithResult(r.Context(), result)))"
	for name, c := range map[string]struct{ file, old, new, class, sentence string }{
		"another path":       {"nethttp/middleware.go", serve, "if r.URL.Path != \"/done\" {\n r.URL.Path += \"x\"\n}\n" + serve, "plain", "about which nothing was asked"},
		"another person":     {"nethttp/middleware.go", serve, "if result.Subject != \"\" {\n result.Subject = \"mallory\"\n}\n" + serve, "plain", `of "mallory", about which nothing was asked`},
		"an override":        {"routes/resolve.go", "if err := checkHeaders(r.Header); err != nil {", "if err := error(nil); err != nil {", "method overrides", "which the route file refuses"},
		"everything refused": {"check/check.go", "case routes.Question:\n", "case routes.Question:\n\treturn Result{}\n", "plain", "a request that is not hostile has status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original, err := filepath.Abs(filepath.Join("..", c.file))
			require.NoError(t, err)
			data, err := os.ReadFile(original)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(data), c.old), "%s has changed", c.file)
			mutant := filepath.Join(t.TempDir(), "mutant.go")
			require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(data), c.old, c.new, 1)), 0o600))
			var out, problems strings.Builder
			status := command(t.Context(), []string{"-hostile", "-only", "PEP-12", "--", build(t, "nethttp", map[string]string{original: mutant})}, &out, &problems)
			require.Equal(t, statusBreaks, status, out.String()+problems.String())
			_, of, found := strings.Cut(out.String(), "hostile requests: "+c.class+"\n")
			require.True(t, found, out.String())
			of, _, _ = strings.Cut(of, "FAIL")
			assert.Contains(t, of, c.sentence)
		})
	}
}

func TestCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		out    string
	}{
		"help":             {[]string{"-h"}, statusConforms, "Usage: conformance"},
		"no command":       {nil, statusFailed, "Usage: conformance"},
		"unknown flag":     {[]string{"-x"}, statusFailed, "not defined"},
		"no such command":  {[]string{"--", "/none/sample"}, statusFailed, "does not start"},
		"ends at once":     {[]string{"--", "sh", "-c", "echo out of order; exit 3"}, statusFailed, "has ended:\nout of order"},
		"list":             {[]string{"-list"}, statusConforms, "PEP-5   a verdict is not kept"},
		"list of one duty": {[]string{"-list", "-only", "PEP-14"}, statusConforms, "PEP-14  a path without a route"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			assert.Equal(t, c.status, command(t.Context(), c.args, &out, &out), out.String())
			assert.Contains(t, out.String(), c.out)
		})
	}
}
