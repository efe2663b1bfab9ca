package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The signed bundle verifies and can be served.
func TestBundleSignWithEachAlgorithm(t *testing.T) {
	t.Parallel()
	unsigned := builtReaders(t)
	for name, c := range map[string]struct {
		key       crypto.Signer
		more      []string
		algorithm string
		keyID     string
	}{
		"P-256":         {ecdsaKey(t, elliptic.P256()), nil, "ES256", "default"},
		"P-384":         {ecdsaKey(t, elliptic.P384()), nil, "ES384", "default"},
		"P-521":         {ecdsaKey(t, elliptic.P521()), []string{"--key-id", "2026-11"}, "ES512", "2026-11"},
		"RSA":           {rsaKey(t, 2048), nil, "RS256", "default"},
		"RSA and PS512": {rsaKey(t, 2048), []string{"--signing-alg", "PS512"}, "PS512", "default"},
	} {
		t.Run(name, func(t *testing.T) {
			private, public := keyFiles(t, c.key)
			signed := filepath.Join(t.TempDir(), "signed.tar.gz")
			got := run(t, nil, append([]string{"bundle", "sign", unsigned, "--signing-key", private, "-o", signed}, c.more...)...)
			require.Equal(t, result{out: signed + ": signed by key " + c.keyID + " (" + c.algorithm + ")\n"}, got)

			got = run(t, nil, "bundle", "verify", signed, "--verification-key", public, "--decision", "app/decision")
			require.Equal(t, statusOK, got.status, got)
			require.Contains(t, got.out, signed+" is valid: policy ")
			require.Contains(t, got.out, " r1, release 7\n")
			require.Contains(t, got.out, "signature         valid, a key of "+public+"\n")
			require.Contains(t, got.out, "golden decisions  2, all as expected\n")

			got = run(t, nil, "serve", "--check", "--bundle", signed, "--verification-key", public, "--decision", "app/decision")
			require.Equal(t, statusOK, got.status, got)
			got = run(t, nil, "bundle", "inspect", signed, "--verification-key", public)
			require.Contains(t, got.out, "signed by key "+c.keyID+" ("+c.algorithm+"), verified\n")
		})
	}
}

func TestBundleSignReplacesASignatureInPlace(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	path := builtReaders(t, "--signing-key", private)
	verify := []string{"bundle", "verify", path, "--decision", "app/decision", "--verification-key"}
	require.Equal(t, statusOK, run(t, nil, append(verify, public)...).status)

	otherPrivate, otherPublic := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	require.Equal(t, statusOK, run(t, nil, "bundle", "sign", path, "--signing-key", otherPrivate).status)
	require.Equal(t, statusOK, run(t, nil, append(verify, otherPublic)...).status)
	got := run(t, nil, append(verify, public)...)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "signed by an unknown key")
}

// No message quotes the content of a key file.
func TestInvalidSigningKeysAreExplained(t *testing.T) {
	t.Parallel()
	path := builtReaders(t)
	before := readFile(t, path)
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return block("PRIVATE KEY", der)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	good := pkcs8(ecdsaKey(t, elliptic.P256()))
	for name, c := range map[string]struct{ key, algorithm, wanted string }{
		"encrypted":        {block("ENCRYPTED PRIVATE KEY", []byte("confidential")), "", "is encrypted: decrypt it first"},
		"encrypted of old": {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nY29uZmlkZW50aWFs\n-----END RSA PRIVATE KEY-----\n", "", "is encrypted: decrypt it first"},
		"a public key":     {block("PUBLIC KEY", []byte("confidential")), "", "is the public half"},
		"of SSH":           {block("OPENSSH PRIVATE KEY", []byte("confidential")), "", "is not a private key"},
		"not PEM":          {"confidential", "", "it holds no private key"},
		"broken":           {block("PRIVATE KEY", []byte("confidential")), "", "cannot read the private key"},
		"Ed25519":          {pkcs8(edwards), "", "neither RSA nor ECDSA"},
		"P-224":            {pkcs8(p224), "", "use P-256, P-384 or P-521"},
		"a short RSA key":  {pkcs8(rsaKey(t, 1024)), "", "RSA needs at least 2048"},
		"another curve":    {good, "ES384", `cannot sign by "ES384": choose from ES256`},
		"a shared secret":  {good, "HS256", `cannot sign by "HS256": choose from ES256`},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "private.pem")
			putFile(t, file, c.key)
			args := []string{"bundle", "sign", path, "--signing-key", file}
			if c.algorithm != "" {
				args = append(args, "--signing-alg", c.algorithm)
			}
			got := run(t, nil, args...)
			require.Equal(t, statusFailed, got.status, got)
			require.Contains(t, got.err, c.wanted)
			require.NotContains(t, got.err, "confidential")
			require.True(t, before == readFile(t, path), "it was changed")
		})
	}
}

func TestWorldReadableSigningKeyLogsAWarning(t *testing.T) {
	t.Parallel()
	path := builtReaders(t)
	private, _ := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	require.NoError(t, os.Chmod(private, 0o644))
	got := run(t, nil, "bundle", "sign", path, "--signing-key", private)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.err, "remove that permission (chmod o-r "+private+")")
}

// Older tools write ECDSA keys in this form.
func TestSigningKeyAfterECParameters(t *testing.T) {
	t.Parallel()
	path := builtReaders(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "private.pem")
	putFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	got := run(t, nil, "bundle", "sign", path, "--signing-key", file)
	require.Equal(t, statusOK, got.status, got)
}

func TestBundleReleaseRaisesTheSequence(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, rsaKey(t, 2048))
	old, output := builtReaders(t, "--signing-key", private), filepath.Join(t.TempDir(), "new.tar.gz")
	got := run(t, nil, "bundle", "release", "--from", old, "--verification-key", public, "--decision", "app/decision",
		"--signing-key", private, "-o", output)
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, `: revision r1\+(\d{10}), release \d{10}, signed by key default \(RS256\)\n$`, got.out)
	require.Empty(t, got.err)
	require.Contains(t, run(t, nil, "bundle", "release", "--from", old, "--decision", "app/decision", "--signing-key", private, "-o", output).err,
		"was not verified: name the public key")
	got = run(t, nil, "bundle", "release", "--from", old, "--decision", "app/decision", "-o", output, "--sequence", "99999999999")
	require.Contains(t, got.err, "release 99999999999 is in the future")
	got = run(t, nil, "bundle", "release", "--from", old, "--verification-key", public, "--decision", "app/decision",
		"--signing-key", private, "-o", output)
	require.Equal(t, statusOK, got.status, got)
	got = run(t, nil, "bundle", "verify", output, "--verification-key", public, "--decision", "app/decision")
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, ` r1\+(\d{10}), release \d{10}\n`, got.out)

	again := func(more ...string) result {
		return run(t, nil, append([]string{"bundle", "release", "--from", old, "--decision", "app/decision", "-o", output}, more...)...)
	}
	got = again("--sequence", "8")
	require.Equal(t, result{out: output + ": revision r1+8, release 8, not signed\n"}, got)
	onceMore := filepath.Join(t.TempDir(), "more.tar.gz")
	got = run(t, nil, "bundle", "release", "--from", output, "--decision", "app/decision", "-o", onceMore, "--sequence", "9")
	require.Equal(t, result{out: onceMore + ": revision r1+9, release 9, not signed\n"}, got)
	got = again("--sequence", "9", "--revision", "rollback")
	require.Equal(t, result{out: output + ": revision rollback, release 9, not signed\n"}, got)
	require.NotContains(t, run(t, nil, "bundle", "inspect", output).out, ".signatures.json")

	for _, c := range []struct {
		args   []string
		status int
		wanted string
	}{
		{[]string{"--sequence", "7"}, statusFailed, "--sequence is 7 and the old bundle has 7"},
		{[]string{"--sequence", "-1"}, statusFailed, "--sequence is -1"},
		{[]string{"--from", "testdata/policies"}, statusFailed, "is a folder"},
		{[]string{"--from", "testdata/none.tar.gz"}, statusFailed, "testdata/none.tar.gz"},
		{[]string{"--from", "testdata/directory.yaml"}, statusNo, "not a gzip archive"},
		{[]string{"--verification-key", private}, statusFailed, "is not a public key"},
		{[]string{"--decision", "app/other"}, statusNo, "no rule data.app.other"},
	} {
		require.NoError(t, os.RemoveAll(output))
		got := again(c.args...)
		require.Equal(t, c.status, got.status, got)
		require.Contains(t, got.err, c.wanted)
		require.NoFileExists(t, output)
	}
	_, otherPublic := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	got = again("--verification-key", otherPublic)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "signed by an unknown key")
}

// If the bundle cannot be written, the old file remains and no temporary file is left.
func TestBundleIsWrittenAtomically(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "policy.tar.gz")
	require.NoError(t, os.MkdirAll(filepath.Join(target, "not-a-file"), 0o700))
	got := run(t, nil, buildReaders(readersPolicy(t, nil), target)...)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "policy.tar.gz cannot be written")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	path := builtReaders(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	var names []string
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		names = append(names, header.Name)
	}
	require.Equal(t, "/.manifest /app/app.rego /app/data.yaml /golden/data.json", strings.Join(names, " "))
}
