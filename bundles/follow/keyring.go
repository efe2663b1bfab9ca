package follow

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/keys"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// keyring holds the keys that verify bundles. Keys from files are reread when the files change.
type keyring struct {
	fixed  bundles.Verification // with the keys that the settings contain
	public *rotation.Value[[]bundles.PublicKey]
	byID   map[string]*rotation.Value[*keys.Config]
}

// verification returns the current keys and options for verifying a bundle.
func (k *keyring) verification() *bundles.Verification {
	v := k.fixed
	v.Keys = map[string]*keys.Config{}
	for id, key := range k.fixed.Keys {
		v.Keys[id] = key
	}
	for id, file := range k.byID {
		v.Keys[id] = file.Get()
	}
	if k.public != nil {
		v.Public = k.public.Get()
	}
	return &v
}

func (k *keyring) empty() bool { return len(k.fixed.Keys) == 0 && len(k.byID) == 0 && k.public == nil }

// keyring reads the keys. The error joins all faults.
func (s Settings) keyring() (*keyring, error) {
	k := &keyring{
		fixed: bundles.Verification{Keys: map[string]*keys.Config{}, KeyID: s.Signing.KeyID, Scope: s.Signing.Scope},
		byID:  map[string]*rotation.Value[*keys.Config]{},
	}
	var faults []error
	for id, key := range s.Keys {
		if err := k.add(id, keys.Config{Key: key.Key, Algorithm: key.Algorithm, Scope: key.Scope}, s.Logger); err != nil {
			faults = append(faults, fmt.Errorf("keys: %s: %w", id, err))
		}
	}
	if _, written := k.fixed.Keys[k.fixed.KeyID]; k.fixed.KeyID != "" && !written && k.byID[k.fixed.KeyID] == nil {
		faults = append(faults, fmt.Errorf("signing: keyid is %q, which is not one of the keys", k.fixed.KeyID))
	}
	if s.KeyFile != "" {
		public, err := rotation.Open(rotation.Config[[]bundles.PublicKey]{
			Name: "the key file", Paths: []string{s.KeyFile}, Logger: s.Logger,
			Parse: func(contents [][]byte) ([]bundles.PublicKey, error) { return bundles.ParsePublicKeys(contents[0]) },
		})
		if err != nil {
			faults = append(faults, err)
		} else {
			k.public = public
		}
	}
	return k, errors.Join(faults...)
}

// add adds a key, given as PEM or as the path of a file. A shared secret is always the secret itself.
func (k *keyring) add(id string, key keys.Config, logger *slog.Logger) error {
	if key.Algorithm == "" {
		key.Algorithm = "RS256" // OPA's default
	}
	switch {
	case !keys.IsSupportedAlgorithm(key.Algorithm):
		return fmt.Errorf("there is no algorithm %q", key.Algorithm)
	case key.Key == "":
		return errors.New("the key is missing")
	case strings.HasPrefix(key.Algorithm, "HS"):
		k.fixed.Keys[id] = &key
		return nil
	case strings.Contains(key.Key, "-----BEGIN"):
		k.fixed.Keys[id] = &key
		return checkAlgorithm(key.Key, key.Algorithm)
	}
	file, err := rotation.Open(rotation.Config[*keys.Config]{
		Name: "the file of a key", Paths: []string{key.Key}, Logger: logger,
		HidePaths: true, // someone may have written a secret instead of a path
		Parse: func(contents [][]byte) (*keys.Config, error) {
			read := key
			read.Key = string(contents[0])
			return &read, checkAlgorithm(read.Key, read.Algorithm)
		},
	})
	if err != nil {
		return fmt.Errorf("the key is neither PEM nor a file of PEM: %w", err)
	}
	k.byID[id] = file
	return nil
}

// checkAlgorithm refuses a key that cannot verify anything by its algorithm.
func checkAlgorithm(content, algorithm string) error {
	public, err := bundles.ParsePublicKeys([]byte(content))
	switch {
	case err != nil:
		return err
	case len(public) > 1:
		return errors.New("it holds several keys: give each its own id")
	case !slices.Contains(public[0].Algorithms, algorithm):
		return fmt.Errorf("the key cannot verify by %s: choose from %s", algorithm, strings.Join(public[0].Algorithms, ", "))
	}
	return nil
}
