package bundles_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// TestNotModifiedByNothing: a server that confirms what nobody has cannot be used, and says why.
func TestNotModifiedByNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, signed(release(1)).packed())
	s.change(func() {
		s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
	})
	f := follow(t, s.origin(t, nil))
	now := f.untilOutcome(bundles.Unavailable)
	require.Nil(t, now.Active)
	require.Equal(t, bundles.Unreached, now.Attempt.Reason)
	require.ErrorContains(t, now.Attempt.Err, "nobody had asked")
	s.again(t, 2)
	require.True(t, f.Status().Confirmed.IsZero())
	s.set(signed(release(1)).packed())
	f.untilSequence(1)
}

// TestSequencesThatEveryReaderTakes: the last one is the highest that is the same number everywhere.
func TestSequencesThatEveryReaderTakes(t *testing.T) {
	t.Parallel()
	for value, wanted := range map[string]int64{
		"1": 1, "9007199254740991": 1<<53 - 1, "null": 0,
		"9007199254740992": -1, "9007199254740993": -1, "9223372036854775807": -1, "9223372036854775808": -1, "1e300": -1,
		"0": -1, "-1": -1, "1.5": -1, `"1"`: -1, "true": -1, "[1]": -1,
	} {
		manifest := fmt.Sprintf(`{"roots": ["app", "golden"], "metadata": {"sequence": %s}}`, value)
		r, err := opened(t, signed(release(1).with(parts{".manifest": manifest})).packed(), map[string]any{"key_file": keyFile(t, ours)})
		if wanted < 0 {
			require.Equal(t, bundles.Malformed, refusal(t, err, value).Reason, value)
			require.ErrorContains(t, err, "sequence", value)
			continue
		}
		require.NoError(t, err, value)
		require.Equal(t, wanted, r.Sequence, value)
	}
}

// TestAStateThatSaysNothing is not taken for none: it would let any old release in.
func TestAStateThatSaysNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, signed(release(5)).packed())
	settings := once(t, s, nil)
	for _, data := range []string{`{}`, `null`, `{"sequence": 5, "id": "x"}`, `{"sequence": 5, "source": ""}`, `{"source": null}`, ` `} {
		require.NoError(t, os.WriteFile(stateOf(t, settings, "state.json"), []byte(data), 0o600))
		_, cfg := following(t, origin(t, settings))
		_, err := bundles.Follow(t.Context(), cfg)
		require.ErrorContains(t, err, "mend it, or remove it to accept any", data)
		_, err = openOnce(origin(t, settings))
		require.Equal(t, bundles.Unreached, refusal(t, err, data).Reason, data)
		require.ErrorContains(t, err, "mend it", data)
	}
	require.NoError(t, os.Remove(stateOf(t, settings, "state.json")))
	follow(t, origin(t, settings)).untilSequence(5)
}

// TestAnEntrypointIsSpeltInOneWay: rules beside it are found by its path.
func TestAnEntrypointIsSpeltInOneWay(t *testing.T) {
	t.Parallel()
	o := origin(t, map[string]any{"path": written(t, "bundle.tar.gz", release(1).packed())})
	for _, name := range []string{"app/decision", "/app/decision/", "/app/decision", "app/decision/"} {
		r, err := o.Open(context.Background(), name, nil)
		require.NoError(t, err, name)
		require.Equal(t, "app/decision", r.Entrypoint, name)
	}
	for _, name := range []string{
		"app.decision", `app["decision"]`, "app//decision", "", "/", "a-b", "app/deci sion", "app/decision\n", "app/decision#", "app/[_]", "data.app/decision",
		"app/1", "app/décision", "../app/decision", "app/" + strings.Repeat("-", 10_000),
	} {
		_, err := o.Open(context.Background(), name, nil)
		require.Equal(t, bundles.Entrypoint, refusal(t, err, name).Reason, name)
		require.Less(t, len(err.Error()), 500, name)
	}
	for _, name := range []string{"authz.decision", `authz["decision"]`, "a//b", "a-b"} {
		_, err := o.Open(context.Background(), name, nil)
		require.ErrorContains(t, err, "name it below data, with slashes", name)
	}
}

// TestALongLineIsCut where it comes back in an error.
func TestALongLineIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, rule := range map[string]string{
		"an unknown name":     "decision := " + long,
		"an unknown function": "decision := " + long + "(1)",
		"a long text":         `decision := count("` + long + `", 1, 2)`,
		"letters of any kind": "decision := count(`" + strings.Repeat("é", 50_000) + "`, 1, 2)",
		"no syntax":           "decision := {{{ " + long,
		"a stray sign":        "decision := $" + long,
		"a text without end":  `decision := "` + long,
		"an import":           "import " + long + "\n\ndecision := true",
		"a name twice":        long + " := 1\n\n" + long + " contains 2\n\ndecision := true",
		"an impure one":       `decision := http.send({"url": "` + long + `"})`,
	} {
		_, err := opened(t, parts{"app/app.rego": "package app\n\n" + rule + "\n"}.packed(), nil)
		require.Equal(t, bundles.Compile, refusal(t, err, name).Reason, name)
		require.ErrorContains(t, err, "app.rego:", name)
		require.Less(t, len(err.Error()), 5_000, name)
		require.True(t, strings.ToValidUTF8(err.Error(), "") == err.Error(), name)
	}
}
