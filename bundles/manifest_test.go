package bundles_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The highest sequence is the highest number that every reader of JSON represents exactly.
func TestSequenceIsAWholeNumber(t *testing.T) {
	t.Parallel()
	for value, wanted := range map[string]int64{
		"1": 1, "9007199254740991": 1<<53 - 1, "null": 0,
		"9007199254740992": -1, "9007199254740993": -1, "9223372036854775807": -1, "9223372036854775808": -1, "1e300": -1,
		"0": -1, "-1": -1, "1.5": -1, `"1"`: -1, "true": -1, "[1]": -1,
	} {
		manifest := fmt.Sprintf(`{"roots": ["app", "golden"], "metadata": {"sequence": %s}}`, value)
		r, err := openRaw(bundletest.Signed(bundletest.Release(1).With(bundletest.Files{".manifest": manifest})).Pack(), bundletest.TrustedKey)
		if wanted < 0 {
			require.Equal(t, bundles.Malformed, bundletest.RefusalOf(t, err, value).Reason, value)
			require.ErrorContains(t, err, "sequence", value)
			continue
		}
		require.NoError(t, err, value)
		require.Equal(t, wanted, r.Sequence, value)
	}
}

// Rules in the package of the entrypoint are found by its path.
func TestEntrypointHasOneSpelling(t *testing.T) {
	t.Parallel()
	open := func(entrypoint string) (*bundles.Revision, error) {
		return bundles.Open(context.Background(), bundles.Config{Raw: bundletest.Release(1).Pack(), Source: "here", Entrypoint: entrypoint})
	}
	for _, name := range []string{"app/decision", "/app/decision/", "/app/decision", "app/decision/"} {
		r, err := open(name)
		require.NoError(t, err, name)
		require.Equal(t, "app/decision", r.Entrypoint, name)
	}
	for _, name := range []string{
		"app.decision", `app["decision"]`, "app//decision", "", "/", "a-b", "app/deci sion", "app/decision\n", "app/decision#", "app/[_]", "data.app/decision",
		"app/1", "app/décision", "../app/decision", "app/" + strings.Repeat("-", 10_000),
	} {
		_, err := open(name)
		require.Equal(t, bundles.Entrypoint, bundletest.RefusalOf(t, err, name).Reason, name)
		require.Less(t, len(err.Error()), 500, name)
	}
	for _, name := range []string{"authz.decision", `authz["decision"]`, "a//b", "a-b"} {
		_, err := open(name)
		require.ErrorContains(t, err, "name it below data, with slashes", name)
	}
}

func TestLongLinesAreShortenedInErrors(t *testing.T) {
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
		_, err := openRaw(bundletest.Files{"app/app.rego": "package app\n\n" + rule + "\n"}.Pack())
		require.Equal(t, bundles.Compile, bundletest.RefusalOf(t, err, name).Reason, name)
		require.ErrorContains(t, err, "app.rego:", name)
		require.Less(t, len(err.Error()), 5_000, name)
		require.True(t, strings.ToValidUTF8(err.Error(), "") == err.Error(), name)
	}
}
