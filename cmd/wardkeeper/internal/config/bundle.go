package config

import (
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
)

// BundleOrigin returns where the policy comes from. Flags and variables override policy.bundle of the file. ok is false if the
// built-in policy is to be served.
func (s *Settings) BundleOrigin() (o follow.Settings, ok bool, err error) {
	if s.Bundle == "" && s.PolicyBundle == nil {
		if !s.policyInvalid && (s.VerificationKey != "" || s.StateDir != "") {
			err = errors.New("--verification-key and --state-dir require a bundle: set --bundle")
		}
		return o, false, err
	}
	if s.PolicyBundle != nil {
		o = *s.PolicyBundle
	}
	if s.Bundle != "" {
		if o.Path != "" || o.Resource != "" || o.Service != nil {
			return o, false, fmt.Errorf("%s and policy.bundle both say where the policy is: remove one of them", s.Spelling("bundle"))
		}
		if err := o.SetAddress(s.Bundle); err != nil {
			return o, false, fmt.Errorf("%s: %w", s.Spelling("bundle"), err)
		}
	}
	if s.VerificationKey != "" {
		o.KeyFile = s.VerificationKey
	}
	if s.StateDir != "" {
		o.StateDir = s.StateDir
	}
	return o, true, nil
}
