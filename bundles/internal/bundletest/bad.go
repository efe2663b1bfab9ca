package bundletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Bad is a bundle that must never become active.
type Bad struct {
	Name   string
	Raw    []byte
	Reason bundles.Reason
}

// BadlySigned returns bundles without a signature, or with an invalid one.
func BadlySigned() []Bad {
	next := Release(6)
	good := Signed(next)
	by := func(s Signer) []byte { return s.Sign(next).Pack() }
	manifest := next[".manifest"]
	twice := strings.Replace(manifest, `"metadata"`, `"metadata": {"sequence": 900}, "metadata"`, 1)
	return []Bad{
		{"unsigned", next.Pack(), bundles.Unsigned},
		{"signature stripped", good.With(Files{".signatures.json": ""}).Pack(), bundles.Unsigned},
		{"signature emptied", Pack(append(next.Entries(), Entry{tar.Header{Name: ".signatures.json"}, ""})...), bundles.Malformed},
		{"no signature in the file", good.With(Files{".signatures.json": `{"signatures": []}`}).Pack(), bundles.Signature},
		{"null for signatures", good.With(Files{".signatures.json": `null`}).Pack(), bundles.Signature},
		{"no JSON for signatures", good.With(Files{".signatures.json": `{`}).Pack(), bundles.Malformed},
		{"signatures named twice", good.With(Files{".signatures.json": `{"signatures": [], "signatures": []}`}).Pack(), bundles.Malformed},
		{"two signatures", good.With(Files{".signatures.json": `{"signatures": ["a.b.c", "a.b.c"]}`}).Pack(), bundles.Signature},
		{"signed in another way", good.With(Files{".signatures.json": `{"signatures": ["a.b.c"], "plugin": "mine"}`}).Pack(), bundles.Signature},
		{"signed by an unknown key", by(Signer{Key: OtherKey, ID: "k9"}), bundles.Signature},
		{"signed by an unknown key with a known id", by(Signer{Key: OtherKey, ID: "k1"}), bundles.Signature},
		{"signed by an unknown key without id", by(Signer{Key: OtherKey}), bundles.Signature},
		{"signed by the last release's signature", next.With(Files{".signatures.json": Signed(Release(5))[".signatures.json"]}).Pack(), bundles.Signature},
		{"algorithm none", by(Signer{ID: "k1", Header: map[string]any{"alg": "none"}}), bundles.Signature},
		{"algorithm none, and no signature", by(Signer{Header: map[string]any{"alg": "none"}}), bundles.Signature},
		{"the public key as a shared secret", by(Signer{ID: "k1", Secret: PublicPEM(TrustedKey), Header: map[string]any{"alg": "HS256"}}), bundles.Signature},
		{"the public key as a shared secret, without id", by(Signer{Secret: PublicPEM(TrustedKey), Header: map[string]any{"alg": "HS256"}}), bundles.Signature},
		{"the public key as a secret under our algorithm", by(Signer{ID: "k1", Secret: PublicPEM(TrustedKey)}), bundles.Signature},
		{"a key of its own in the header", by(Signer{Key: OtherKey, Header: map[string]any{"jwk": PublicPEM(OtherKey)}}), bundles.Signature},
		{"hashed by MD5", by(Signer{Key: TrustedKey, ID: "k1", Hash: bundle.MD5}), bundles.Signature},
		{"hashed by SHA-1", by(Signer{Key: TrustedKey, ID: "k1", Hash: bundle.SHA1}), bundles.Signature},
		{"a scope that is not ours", by(Signer{Key: TrustedKey, ID: "k1", Scope: "write"}), bundles.Signature},
		{"a file left out of the signature", by(Signer{Key: TrustedKey, ID: "k1", Exclude: []string{"notes.md"}}), bundles.Signature},
		{"rules left out of the signature", by(Signer{Key: TrustedKey, ID: "k1", Exclude: []string{"app/app.rego"}}), bundles.Signature},
		{"a file added", good.With(Files{"app/more.rego": "package app.more\n\none := 1\n"}).Pack(), bundles.Signature},
		{"tables added", good.With(Files{"app/data.json": `{"table": {"actions": ["delete"]}}`}).Pack(), bundles.Signature},
		{"a file that is no policy added", good.With(Files{"readme.md": "hello"}).Pack(), bundles.Signature},
		{"a file removed", good.With(Files{"app/words/data.yaml": ""}).Pack(), bundles.Signature},
		{"a file that is no policy removed", good.With(Files{"notes.md": ""}).Pack(), bundles.Signature},
		{"a file renamed", good.Rename("app/app.rego", "app/abb.rego").Pack(), bundles.Signature},
		{"tables renamed to YAML", good.Rename("app/table/data.json", "app/table/data.yaml").Pack(), bundles.Signature},
		{"rules renamed to a test", good.Rename("app/app.rego", "app/app_test.rego").Pack(), bundles.Signature},
		{"the manifest removed", good.With(Files{".manifest": ""}).Pack(), bundles.Signature},
		{"a sequence smuggled in", good.With(Files{".manifest": twice}).Pack(), bundles.Malformed},
		{"a sequence smuggled in, in other letters", good.With(Files{".manifest": strings.Replace(manifest, `"metadata"`, `"Metadata": {"sequence": 900}, "metadata"`, 1)}).Pack(), bundles.Signature},
		{"a manifest behind the manifest", good.With(Files{".manifest": manifest + manifest}).Pack(), bundles.Malformed},
		{"tables behind the tables", good.With(Files{"app/table/data.json": next["app/table/data.json"] + ` {"actions": []}`}).Pack(), bundles.Signature},
		{"null behind other tables", good.With(Files{"app/table/data.json": `{"actions": ["delete"]} null`}).Pack(), bundles.Signature},
	}
}

// BadContent returns bundles with a valid signature whose content must be refused.
func BadContent() []Bad {
	next := Release(6)
	sign := func(changes Files) []byte { return Signed(next.With(changes)).Pack() }
	manifest := func(text string) []byte { return sign(Files{".manifest": text}) }
	rules := func(text string) []byte { return sign(Files{"app/app.rego": text}) }
	const head = "package app\n\n"
	const sequenced = `"metadata": {"sequence": 6}}`
	return []Bad{
		{"an older release", Signed(Release(4)).Pack(), bundles.Replayed},
		{"the first release", Signed(Release(1)).Pack(), bundles.Replayed},
		{"the same release with other content", Signed(Release(5).With(Files{"app/words/data.yaml": "hello: you\n"})).Pack(), bundles.Replayed},
		{"no sequence", manifest(`{"roots": ["app", "golden"]}`), bundles.Replayed},
		{"no manifest", sign(Files{".manifest": ""}), bundles.Replayed},
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
		{"roots without the entrypoint", Signed(Files{
			".manifest": `{"roots": ["else"], ` + sequenced, "else.rego": "package else\n\ndecision := true\n",
		}).Pack(), bundles.Roots},
		{"does not parse", rules(head + "decision := {\n"), bundles.Compile},
		{"does not compile", rules(head + "decision := nobody\n"), bundles.Compile},
		{"a type error", rules(head + "decision := count(1)\n"), bundles.Compile},
		{"an input that is misspelt", rules(head + "catalogue := {}\n\ndefault decision := false\n\ndecision if input.subjekt.id == \"a\"\n"), bundles.Compile},
		{"calls out", rules(head + "decision := http.send({\"method\": \"get\", \"url\": \"http://localhost\"}).body\n"), bundles.Compile},
		{"reads the clock", rules(head + "decision if time.now_ns() > 0\n"), bundles.Compile},
		{"no entrypoint", rules(head + "other := true\n"), bundles.Entrypoint},
		{"tables for the entrypoint", sign(Files{"app/app.rego": head + "other := true\n", "app/data.json": `{"decision": true}`}), bundles.Entrypoint},
		{"an undefined decision", rules(head + "decision if input.action.name == \"read\"\n"), bundles.Decision},
		{"an ill-shaped decision", rules(head + "decision := \"yes\"\n"), bundles.Decision},
		{"a decision that fails", rules(head + "decision := true\n\ndecision := false if input.action.name\n"), bundles.Decision},
		{"faults of its own", rules(head + "default decision := false\n\nfaults contains \"the table is empty\"\n"), bundles.Tables},
		{"a failing golden decision", sign(Files{"app/words/data.yaml": "hello: good night\n"}), bundles.Golden},
		{"golden decisions that cannot be read", sign(Files{"golden/data.json": `{"decisons": []}`}), bundles.Golden},
		{"a delta", Signed(Files{"patch.json": `{"data": [{"op": "upsert", "path": "/app/table/limit", "value": 99}]}`}).Pack(), bundles.Malformed},
		{"a delta in a folder", sign(Files{"app/patch.json": `{"data": []}`}), bundles.Malformed},
		{"compiled rules", sign(Files{"policy.wasm": "\x00asm\x01\x00\x00\x00"}), bundles.Malformed},
		{"a plan", sign(Files{"plan.json": `{}`}), bundles.Malformed},
		{"a manifest in protobuf", sign(Files{".manifest.pb": "\x0a\x01a"}), bundles.Malformed},
		{"a nested manifest", sign(Files{"app/.manifest": `{"metadata": {"sequence": 900}}`}), bundles.Malformed},
		{"a manifest with a name before it", sign(Files{"app/x.manifest": `{}`}), bundles.Malformed},
		{"nested signatures", sign(Files{"app/.signatures.json": `{}`}), bundles.Malformed},
		{"a manifest that is no JSON", Signed(Files{".manifest": "{", "app.rego": head + "decision := true\n"}).Pack(), bundles.Malformed},
		{"tables that are no JSON", sign(Files{"app/table/data.json": "actions: [read]\n"}), bundles.Malformed},
		{"no rules", Signed(Files{".manifest": next[".manifest"], "app/data.json": `{"decision": true}`}).Pack(), bundles.Entrypoint},
	}
}

// BadArchives returns data that is not an archive, and archives that a bundle must not be. Read them within [SizeLimit].
func BadArchives() []Bad {
	good := Signed(Release(6))
	raw := good.Pack()
	extra := func(h tar.Header, content string) []byte { return Pack(append(good.Entries(), Entry{h, content})...) }
	named := func(name string) []byte { return extra(tar.Header{Name: name}, "package evil\n") }
	many := make([]Entry, 10_001)
	for i := range many {
		many[i] = Entry{tar.Header{Name: fmt.Sprintf("f%d", i)}, ""}
	}
	folders := make([]Entry, 10_001)
	for i := range folders {
		folders[i] = Entry{tar.Header{Name: "f/", Typeflag: tar.TypeDir}, ""}
	}
	corrupt := bytes.Clone(raw)
	corrupt[len(corrupt)/2] ^= 0x55
	sum := bytes.Clone(raw)
	sum[len(sum)-6] ^= 1
	huge := Tar(Entry{tar.Header{Name: "x"}, strings.Repeat("a", 2<<20)})
	huge[156] = tar.TypeXHeader // makes its content a header of the next entry
	copy(huge[148:156], fmt.Sprintf("%06o\x00 ", headerSum(huge[:512])))
	return []Bad{
		{"empty", nil, bundles.Malformed},
		{"no archive", []byte("hello"), bundles.Malformed},
		{"an archive that is not zipped", Tar(good.Entries()...), bundles.Malformed},
		{"zipped, and no archive", Gzip([]byte(strings.Repeat("hello", 200)), gzip.BestSpeed), bundles.Malformed},
		{"zipped nothing", Gzip(nil, gzip.BestSpeed), bundles.Unsigned},
		{"corrupt", corrupt, bundles.Malformed},
		{"a checksum that is wrong", sum, bundles.Malformed},
		{"garbage behind it", append(bytes.Clone(raw), "garbage"...), bundles.Malformed},
		{"another archive behind it", append(bytes.Clone(raw), Signed(Release(7)).Pack()...), bundles.Malformed},
		{"zipped garbage behind it", append(bytes.Clone(raw), Gzip([]byte("x"), gzip.BestSpeed)...), bundles.Malformed},
		{"a bomb of zeros", extra(tar.Header{Name: "app/zero.rego"}, strings.Repeat("\x00", 9*SizeLimit)), bundles.TooLarge},
		{"a bomb of spaces in tables", extra(tar.Header{Name: "x/data.json"}, strings.Repeat(" ", 9*SizeLimit)), bundles.TooLarge},
		{"a bomb behind the end", append(bytes.Clone(raw), Gzip(make([]byte, 2<<20), gzip.BestSpeed)...), bundles.Malformed},
		{"many files", Gzip(Tar(many...), 3), bundles.TooLarge},
		{"many folders", Gzip(Tar(folders...), 3), bundles.TooLarge},
		{"larger than its limit", Pack(Entry{tar.Header{Name: "x"}, Random(2 * SizeLimit)}), bundles.TooLarge},
		{"a huge header", Gzip(huge, gzip.BestSpeed), bundles.Malformed},
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

// headerSum returns the checksum of a header's block.
func headerSum(block []byte) (sum int) {
	for i, b := range block {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int(b)
	}
	return sum
}

// SizeLimit is size_limit_bytes in tests.
const SizeLimit = 64 << 10

// Altered names the bundles of BadContent whose bytes may differ from what was signed: data is signed by its values.
var Altered = []string{"a manifest that is no JSON", "tables that are no JSON", "a sequence beyond numbers"}
