package bundles

import (
	"bytes"
	"io"
)

// admitted is a bundle that is authentic where it has to be, and whose data can be read in one way only.
type admitted struct {
	archive  *Archive
	keyID    string // of the key that it was verified by; "" where that has none, or it was not verified
	verified bool
}

// admit reads an archive as it came. Without a good signature nothing of it is kept in memory, where one is needed.
func (v *Verification) admit(raw []byte, limits Limits) (admitted, error) {
	limits = limits.WithDefaults()
	var by *signed
	if v.Required || !v.empty() {
		sent, err := findSignatures(raw, limits)
		if err != nil {
			return admitted{}, err
		}
		if by, err = v.authenticate(sent, limits); err != nil {
			return admitted{}, err
		}
	}
	a, err := ReadArchive(bytes.NewReader(raw), limits)
	if err != nil {
		return admitted{}, err
	}
	return by.admit(a, limits)
}

// admitArchive admits one that is in memory already.
func (v *Verification) admitArchive(a *Archive, limits Limits) (admitted, error) {
	limits = limits.WithDefaults()
	if err := checkSizes(a, limits); err != nil {
		return admitted{}, err
	}
	by, err := v.authenticate(a.Find(SignaturesFile), limits)
	if err != nil {
		return admitted{}, err
	}
	return by.admit(a, limits)
}

func (s *signed) admit(a *Archive, limits Limits) (admitted, error) {
	if err := checkSizes(a, limits); err != nil {
		return admitted{}, err
	}
	if err := s.verify(a, limits); err != nil {
		return admitted{}, err
	}
	in := admitted{archive: a}
	if s != nil {
		in.verified, in.keyID = true, s.keyID
	}
	return in, nil
}

// findSignatures reads the signatures alone, nil where there are none. The rest is unpacked and let go, up to the end: what
// was cut off is refused as such.
func findSignatures(raw []byte, limits Limits) (sent []byte, err error) {
	err = eachFile(bytes.NewReader(raw), limits, func(name string, content io.Reader) error {
		clean, err := cleanName(name)
		if err != nil || clean != SignaturesFile {
			return err
		}
		if sent, err = io.ReadAll(io.LimitReader(content, limits.Table+1)); err != nil {
			return err
		}
		if int64(len(sent)) > limits.Table {
			return Refusef(TooLarge, "%s is larger than %d bytes", SignaturesFile, limits.Table)
		}
		return nil
	})
	return sent, err
}
