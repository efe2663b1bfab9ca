package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// following is where the settings say that policy comes from; nil means the built-in one. Flags and variables go over
// the file's policy.bundle.
func (s *settings) following(logger *slog.Logger) (*bundles.Following, error) {
	if s.Bundle == "" && s.policyBundle == nil {
		if !s.policyFaulty && (s.VerificationKey != "" || s.StateDir != "") {
			return nil, errors.New("--verification-key and --state-dir are for a bundle: name it (--bundle)")
		}
		return nil, nil
	}
	var o bundles.Origin
	if s.policyBundle != nil {
		var err error
		if o, err = bundles.DecodeOrigin(s.policyBundle); err != nil {
			return nil, err
		}
	}
	if s.Bundle != "" {
		if o.Path != "" || o.Resource != "" || o.Service != nil {
			return nil, fmt.Errorf("%s and policy.bundle both say where the policy is: choose one", s.origin("bundle"))
		}
		if err := o.SetAddress(s.Bundle); err != nil {
			return nil, fmt.Errorf("%s: %w", s.origin("bundle"), err)
		}
	}
	if s.VerificationKey != "" {
		o.KeyFile = s.VerificationKey
	}
	if s.StateDir != "" {
		o.StateDir = s.StateDir
	}
	o.Logger = logger
	return o.Resolve()
}
