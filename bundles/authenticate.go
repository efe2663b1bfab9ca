package bundles

import (
	"bytes"
	"io"
)

// authenticated is a bundle whose signature holds if one is required, and whose data can be read in only one way.
type authenticated struct {
	archive  *Archive
	keyID    string // of the key that verified it; "" if the key has no id or nothing was verified
	verified bool
}

// Verify reads and verifies a bundle without parsing its policy. It reports whether a signature was verified. The error
// is a [*Refusal].
func Verify(cfg Config) (a *Archive, verified bool, err error) {
	in, err := cfg.authenticate()
	if err == nil {
		err = checkContent(in.archive)
	}
	if err != nil {
		return nil, false, AsRefusal(err, Malformed)
	}
	return in.archive, in.verified, nil
}

// authenticate reads the bundle from Raw, Archive or Files, and verifies it.
func (cfg Config) authenticate() (authenticated, error) {
	v := cfg.Verification
	if v == nil {
		v = &Verification{}
	}
	limits := cfg.Limits.WithDefaults()
	switch {
	case cfg.Raw != nil:
		return v.authenticateRaw(cfg.Raw, limits)
	case cfg.Archive != nil:
		return v.authenticateArchive(cfg.Archive, limits)
	}
	a, err := ReadTree(cfg.Files, limits)
	if err != nil {
		return authenticated{}, err
	}
	return v.authenticateArchive(a, limits)
}

// authenticateRaw reads a .tar.gz. If a signature is needed, no file is kept in memory before it has been verified.
func (v *Verification) authenticateRaw(raw []byte, limits Limits) (authenticated, error) {
	var by *signed
	if v.Required || !v.empty() {
		signatures, err := findSignatures(raw, limits)
		if err != nil {
			return authenticated{}, err
		}
		if by, err = v.verifySignature(signatures, limits); err != nil {
			return authenticated{}, err
		}
	}
	a, err := ReadArchive(bytes.NewReader(raw), limits)
	if err != nil {
		return authenticated{}, err
	}
	return by.authenticate(a, limits)
}

func (v *Verification) authenticateArchive(a *Archive, limits Limits) (authenticated, error) {
	if err := checkSizes(a, limits); err != nil {
		return authenticated{}, err
	}
	by, err := v.verifySignature(a.Find(SignaturesFile), limits)
	if err != nil {
		return authenticated{}, err
	}
	return by.authenticate(a, limits)
}

// authenticate checks sizes, data and, unless s is nil because nothing was signed, the files against the signed ones.
func (s *signed) authenticate(a *Archive, limits Limits) (authenticated, error) {
	if err := checkSizes(a, limits); err != nil {
		return authenticated{}, err
	}
	if err := s.verifyFiles(a, limits); err != nil {
		return authenticated{}, err
	}
	in := authenticated{archive: a}
	if s != nil {
		in.verified, in.keyID = true, s.keyID
	}
	return in, nil
}

// findSignatures returns the content of the signatures file, or nil if there is none. It decompresses and discards the rest
// up to the end, so that a truncated archive is refused as such.
func findSignatures(raw []byte, limits Limits) (signatures []byte, err error) {
	err = eachFile(bytes.NewReader(raw), limits, func(name string, content io.Reader) error {
		clean, err := cleanName(name)
		if err != nil || clean != SignaturesFile {
			return err
		}
		if signatures, err = io.ReadAll(io.LimitReader(content, limits.Table+1)); err != nil {
			return err
		}
		if int64(len(signatures)) > limits.Table {
			return Refusef(TooLarge, "%s is larger than %d bytes", SignaturesFile, limits.Table)
		}
		return nil
	})
	return signatures, err
}
