package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// badBundle is one that must never become active.
type badBundle struct {
	name   string
	raw    []byte
	reason bundles.Reason
}

// unsignedOnes lack a signature, or have one that does not hold for what is in them.
func unsignedOnes() []badBundle {
	next := release(6)
	good := signed(next)
	by := func(s signer) []byte { return s.sign(next).packed() }
	manifest := next[".manifest"]
	twice := strings.Replace(manifest, `"metadata"`, `"metadata": {"sequence": 900}, "metadata"`, 1)
	return []badBundle{
		{"unsigned", next.packed(), bundles.Unsigned},
		{"signature stripped", good.with(parts{".signatures.json": ""}).packed(), bundles.Unsigned},
		{"signature emptied", packed(append(next.entries(), entry{tar.Header{Name: ".signatures.json"}, ""})...), bundles.Malformed},
		{"no signature in the file", good.with(parts{".signatures.json": `{"signatures": []}`}).packed(), bundles.Signature},
		{"null for signatures", good.with(parts{".signatures.json": `null`}).packed(), bundles.Signature},
		{"no JSON for signatures", good.with(parts{".signatures.json": `{`}).packed(), bundles.Malformed},
		{"signatures named twice", good.with(parts{".signatures.json": `{"signatures": [], "signatures": []}`}).packed(), bundles.Malformed},
		{"two signatures", good.with(parts{".signatures.json": `{"signatures": ["a.b.c", "a.b.c"]}`}).packed(), bundles.Signature},
		{"signed in another way", good.with(parts{".signatures.json": `{"signatures": ["a.b.c"], "plugin": "mine"}`}).packed(), bundles.Signature},
		{"signed by an unknown key", by(signer{key: theirs, id: "k9"}), bundles.Signature},
		{"signed by an unknown key with a known id", by(signer{key: theirs, id: "k1"}), bundles.Signature},
		{"signed by an unknown key without id", by(signer{key: theirs}), bundles.Signature},
		{"signed by the last release's signature", next.with(parts{".signatures.json": signed(release(5))[".signatures.json"]}).packed(), bundles.Signature},
		{"algorithm none", by(signer{id: "k1", token: map[string]any{"alg": "none"}}), bundles.Signature},
		{"algorithm none, and no signature", by(signer{token: map[string]any{"alg": "none"}}), bundles.Signature},
		{"the public key as a shared secret", by(signer{id: "k1", secret: publicPEM(ours), token: map[string]any{"alg": "HS256"}}), bundles.Signature},
		{"the public key as a shared secret, without id", by(signer{secret: publicPEM(ours), token: map[string]any{"alg": "HS256"}}), bundles.Signature},
		{"the public key as a secret under our algorithm", by(signer{id: "k1", secret: publicPEM(ours)}), bundles.Signature},
		{"a key of its own in the header", by(signer{key: theirs, token: map[string]any{"jwk": publicPEM(theirs)}}), bundles.Signature},
		{"hashed by MD5", by(signer{key: ours, id: "k1", hash: bundle.MD5}), bundles.Signature},
		{"hashed by SHA-1", by(signer{key: ours, id: "k1", hash: bundle.SHA1}), bundles.Signature},
		{"a scope that is not ours", by(signer{key: ours, id: "k1", scope: "write"}), bundles.Signature},
		{"a file left out of the signature", by(signer{key: ours, id: "k1", exclude: []string{"notes.md"}}), bundles.Signature},
		{"rules left out of the signature", by(signer{key: ours, id: "k1", exclude: []string{"app/app.rego"}}), bundles.Signature},
		{"a file added", good.with(parts{"app/more.rego": "package app.more\n\none := 1\n"}).packed(), bundles.Signature},
		{"tables added", good.with(parts{"app/data.json": `{"table": {"actions": ["delete"]}}`}).packed(), bundles.Signature},
		{"a file that is no policy added", good.with(parts{"readme.md": "hello"}).packed(), bundles.Signature},
		{"a file removed", good.with(parts{"app/words/data.yaml": ""}).packed(), bundles.Signature},
		{"a file that is no policy removed", good.with(parts{"notes.md": ""}).packed(), bundles.Signature},
		{"a file renamed", good.renamed("app/app.rego", "app/abb.rego").packed(), bundles.Signature},
		{"tables renamed to YAML", good.renamed("app/table/data.json", "app/table/data.yaml").packed(), bundles.Signature},
		{"rules renamed to a test", good.renamed("app/app.rego", "app/app_test.rego").packed(), bundles.Signature},
		{"the manifest removed", good.with(parts{".manifest": ""}).packed(), bundles.Signature},
		{"a sequence smuggled in", good.with(parts{".manifest": twice}).packed(), bundles.Malformed},
		{"a sequence smuggled in, in other letters", good.with(parts{".manifest": strings.Replace(manifest, `"metadata"`, `"Metadata": {"sequence": 900}, "metadata"`, 1)}).packed(), bundles.Signature},
		{"a manifest behind the manifest", good.with(parts{".manifest": manifest + manifest}).packed(), bundles.Malformed},
		{"tables behind the tables", good.with(parts{"app/table/data.json": next["app/table/data.json"] + ` {"actions": []}`}).packed(), bundles.Signature},
		{"null behind other tables", good.with(parts{"app/table/data.json": `{"actions": ["delete"]} null`}).packed(), bundles.Signature},
	}
}

// foreignOnes are signed, and no bundles of ours.
func foreignOnes() []badBundle {
	next := release(6)
	sign := func(changes parts) []byte { return signed(next.with(changes)).packed() }
	manifest := func(text string) []byte { return sign(parts{".manifest": text}) }
	rules := func(text string) []byte { return sign(parts{"app/app.rego": text}) }
	const head = "package app\n\n"
	const sequenced = `"metadata": {"sequence": 6}}`
	return []badBundle{
		{"an older release", signed(release(4)).packed(), bundles.Replayed},
		{"the first release", signed(release(1)).packed(), bundles.Replayed},
		{"the same release with other content", signed(release(5).with(parts{"app/words/data.yaml": "hello: you\n"})).packed(), bundles.Replayed},
		{"no sequence", manifest(`{"roots": ["app", "golden"]}`), bundles.Replayed},
		{"no manifest", sign(parts{".manifest": ""}), bundles.Replayed},
		{"null for a sequence", manifest(`{"metadata": {"sequence": null}}`), bundles.Replayed},
		{"a sequence of text", manifest(`{"metadata": {"sequence": "6"}}`), bundles.Malformed},
		{"a sequence below nothing", manifest(`{"metadata": {"sequence": -1}}`), bundles.Malformed},
		{"a sequence in parts", manifest(`{"metadata": {"sequence": 6.5}}`), bundles.Malformed},
		{"a sequence beyond numbers", manifest(`{"metadata": {"sequence": 1e400}}`), bundles.Malformed},
		{"a revision with control characters", manifest(`{"revision": "a\nb", ` + sequenced), bundles.Malformed},
		{"a revision without end", manifest(`{"revision": "` + strings.Repeat("a", 2000) + `", ` + sequenced), bundles.Malformed},
		{"roots that do not have the rules", manifest(`{"roots": ["other", "golden"], ` + sequenced), bundles.Roots},
		{"roots that do not have the tables", manifest(`{"roots": ["app/decision", "golden"], ` + sequenced), bundles.Roots},
		{"overlapping roots", manifest(`{"roots": ["app", "app/table", "golden"], ` + sequenced), bundles.Roots},
		{"roots without the entrypoint", signed(parts{
			".manifest": `{"roots": ["else"], ` + sequenced, "else.rego": "package else\n\ndecision := true\n",
		}).packed(), bundles.Roots},
		{"does not parse", rules(head + "decision := {\n"), bundles.Compile},
		{"does not compile", rules(head + "decision := nobody\n"), bundles.Compile},
		{"a type error", rules(head + "decision := count(1)\n"), bundles.Compile},
		{"an input that is misspelt", rules(head + "catalogue := {}\n\ndefault decision := false\n\ndecision if input.subjekt.id == \"a\"\n"), bundles.Compile},
		{"calls out", rules(head + "decision := http.send({\"method\": \"get\", \"url\": \"http://localhost\"}).body\n"), bundles.Compile},
		{"reads the clock", rules(head + "decision if time.now_ns() > 0\n"), bundles.Compile},
		{"no entrypoint", rules(head + "other := true\n"), bundles.Entrypoint},
		{"tables for the entrypoint", sign(parts{"app/app.rego": head + "other := true\n", "app/data.json": `{"decision": true}`}), bundles.Entrypoint},
		{"an undefined decision", rules(head + "decision if input.action.name == \"read\"\n"), bundles.Decision},
		{"an ill-shaped decision", rules(head + "decision := \"yes\"\n"), bundles.Decision},
		{"a decision that fails", rules(head + "decision := true\n\ndecision := false if input.action.name\n"), bundles.Decision},
		{"faults of its own", rules(head + "default decision := false\n\nfaults contains \"the table is empty\"\n"), bundles.Tables},
		{"a failing golden decision", sign(parts{"app/words/data.yaml": "hello: good night\n"}), bundles.Golden},
		{"golden decisions that cannot be read", sign(parts{"golden/data.json": `{"decisons": []}`}), bundles.Golden},
		{"a delta", signed(parts{"patch.json": `{"data": [{"op": "upsert", "path": "/app/table/limit", "value": 99}]}`}).packed(), bundles.Malformed},
		{"a delta in a folder", sign(parts{"app/patch.json": `{"data": []}`}), bundles.Malformed},
		{"compiled rules", sign(parts{"policy.wasm": "\x00asm\x01\x00\x00\x00"}), bundles.Malformed},
		{"a plan", sign(parts{"plan.json": `{}`}), bundles.Malformed},
		{"a manifest in protobuf", sign(parts{".manifest.pb": "\x0a\x01a"}), bundles.Malformed},
		{"a nested manifest", sign(parts{"app/.manifest": `{"metadata": {"sequence": 900}}`}), bundles.Malformed},
		{"a manifest with a name before it", sign(parts{"app/x.manifest": `{}`}), bundles.Malformed},
		{"nested signatures", sign(parts{"app/.signatures.json": `{}`}), bundles.Malformed},
		{"a manifest that is no JSON", signed(parts{".manifest": "{", "app.rego": head + "decision := true\n"}).packed(), bundles.Malformed},
		{"tables that are no JSON", sign(parts{"app/table/data.json": "actions: [read]\n"}), bundles.Malformed},
		{"no rules", signed(parts{".manifest": next[".manifest"], "app/data.json": `{"decision": true}`}).packed(), bundles.Entrypoint},
	}
}

// illPackedOnes are no archives, or such as no bundle may be. The limit of their size is packedLimit.
func illPackedOnes() []badBundle {
	good := signed(release(6))
	raw := good.packed()
	extra := func(h tar.Header, content string) []byte { return packed(append(good.entries(), entry{h, content})...) }
	named := func(name string) []byte { return extra(tar.Header{Name: name}, "package evil\n") }
	many := make([]entry, 10_001)
	for i := range many {
		many[i] = entry{tar.Header{Name: fmt.Sprintf("f%d", i)}, ""}
	}
	folders := make([]entry, 10_001)
	for i := range folders {
		folders[i] = entry{tar.Header{Name: "f/", Typeflag: tar.TypeDir}, ""}
	}
	corrupt := bytes.Clone(raw)
	corrupt[len(corrupt)/2] ^= 0x55
	sum := bytes.Clone(raw)
	sum[len(sum)-6] ^= 1
	huge := tarred(entry{tar.Header{Name: "x"}, strings.Repeat("a", 2<<20)})
	huge[156] = tar.TypeXHeader // its content is now a header of the next entry
	copy(huge[148:156], fmt.Sprintf("%06o\x00 ", headerSum(huge[:512])))
	return []badBundle{
		{"empty", nil, bundles.Malformed},
		{"no archive", []byte("hello"), bundles.Malformed},
		{"an archive that is not zipped", tarred(good.entries()...), bundles.Malformed},
		{"zipped, and no archive", zipped([]byte(strings.Repeat("hello", 200)), gzip.BestSpeed), bundles.Malformed},
		{"zipped nothing", zipped(nil, gzip.BestSpeed), bundles.Unsigned},
		{"corrupt", corrupt, bundles.Malformed},
		{"a checksum that is wrong", sum, bundles.Malformed},
		{"garbage behind it", append(bytes.Clone(raw), "garbage"...), bundles.Malformed},
		{"another archive behind it", append(bytes.Clone(raw), signed(release(7)).packed()...), bundles.Malformed},
		{"zipped garbage behind it", append(bytes.Clone(raw), zipped([]byte("x"), gzip.BestSpeed)...), bundles.Malformed},
		{"a bomb of zeros", extra(tar.Header{Name: "app/zero.rego"}, strings.Repeat("\x00", 9*packedLimit)), bundles.TooLarge},
		{"a bomb of spaces in tables", extra(tar.Header{Name: "x/data.json"}, strings.Repeat(" ", 9*packedLimit)), bundles.TooLarge},
		{"a bomb behind the end", append(bytes.Clone(raw), zipped(make([]byte, 2<<20), gzip.BestSpeed)...), bundles.Malformed},
		{"many files", zipped(tarred(many...), 3), bundles.TooLarge},
		{"many folders", zipped(tarred(folders...), 3), bundles.TooLarge},
		{"larger than its limit", packed(entry{tar.Header{Name: "x"}, noise(2 * packedLimit)}), bundles.TooLarge},
		{"a huge header", zipped(huge, gzip.BestSpeed), bundles.Malformed},
		{"a way out", named("../evil.rego"), bundles.Malformed},
		{"a way out from within", named("a/../../b.rego"), bundles.Malformed},
		{"a way back", named("app/../evil.rego"), bundles.Malformed},
		{"an absolute name, twice", named("//evil.rego"), bundles.Malformed},
		{"a dot in its way", named("app/./evil.rego"), bundles.Malformed},
		{"a backslash", named(`..\evil.rego`), bundles.Malformed},
		{"a control character", named("evil\n.rego"), bundles.Malformed},
		{"a long name", named(strings.Repeat("a/", 1000) + "x.rego"), bundles.Malformed},
		{"the same name again", named("app/app.rego"), bundles.Malformed},
		{"the same name in another way", named("./app/app.rego"), bundles.Malformed},
		{"the same name after a slash", named("/app/app.rego"), bundles.Malformed},
		{"an absolute name that is not signed", named("/evil.rego"), bundles.Signature},
		{"a symbolic link", extra(tar.Header{Name: "x.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""), bundles.Malformed},
		{"a hard link", extra(tar.Header{Name: "x.rego", Typeflag: tar.TypeLink, Linkname: "app/app.rego"}, ""), bundles.Malformed},
		{"a device", extra(tar.Header{Name: "x.rego", Typeflag: tar.TypeChar}, ""), bundles.Malformed},
		{"a pipe", extra(tar.Header{Name: "x.rego", Typeflag: tar.TypeFifo}, ""), bundles.Malformed},
	}
}

// headerSum is the checksum of a header's block.
func headerSum(block []byte) (sum int) {
	for i, b := range block {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int(b)
	}
	return sum
}

// packedLimit is size_limit_bytes in the tests.
const packedLimit = 64 << 10

// altered are those of the foreign ones whose bytes need not be what was signed: a signature is over what they say.
var altered = []string{"a manifest that is no JSON", "tables that are no JSON", "a sequence beyond numbers"}

// TestABadBundleChangesNothing: whatever comes after a good release and must not be, the release goes on deciding; the
// refusal has its reason, is counted and is logged once.
func TestABadBundleChangesNothing(t *testing.T) {
	t.Parallel()
	good := signed(release(5)).packed()
	for group, all := range map[string][]badBundle{
		"unsigned": unsignedOnes(), "foreign": foreignOnes(), "ill-packed": illPackedOnes(),
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			s := serve(t, good)
			f := follow(t, s.origin(t, map[string]any{"size_limit_bytes": packedLimit, "key_file": nil, "keys": byKeys(ourKey)}))
			first := f.untilOutcome(bundles.Activated).Active
			for _, bad := range all {
				before := f.Status().Refused[bad.reason]
				logged := f.log.count("policy refused")
				s.set(bad.raw)
				now := f.untilOutcome(bundles.Refused)
				require.Equal(t, bad.reason, now.Attempt.Reason, "%s: %v", bad.name, now.Attempt.Err)
				require.NotEmpty(t, now.Attempt.Err.Error(), bad.name)
				sent, judged := s.sent.Load(), f.judged.Load()
				s.again(t, 2)
				require.Equal(t, before+1, f.Status().Refused[bad.reason], bad.name)
				require.Equal(t, logged+1, f.log.count("policy refused"), bad.name)
				if group == "foreign" && !slices.Contains(altered, bad.name) {
					require.Equal(t, sent, s.sent.Load(), "%s: it is fetched again", bad.name)
				} else {
					require.Greater(t, s.sent.Load(), sent, "%s: it may have been spoilt on the way, and is fetched again", bad.name)
				}
				require.Equal(t, judged, f.judged.Load(), "%s: it is judged again", bad.name)
				require.Same(t, first, f.Status().Active, bad.name)
				require.EqualValues(t, 1, f.Status().Activations, bad.name)
				require.True(t, f.decides("read5"), bad.name)
				require.False(t, f.decides("read6"), bad.name)
				s.set(good)
				f.untilOutcome(bundles.Unchanged)
			}
			s.set(signed(release(6)).packed())
			f.untilSequence(6)
			require.True(t, f.decides("read6"))
		})
	}
}
