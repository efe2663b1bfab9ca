package config

import "fmt"

// The values of [Settings.TLSClientCertificates].
const (
	CertificatesOptional = "optional"
	CertificatesRequired = "required"
)

// ServesTLS reports whether the addresses other than Unix sockets speak TLS.
func (s *Settings) ServesTLS() bool { return s.TLSCertFile != "" }

// AuthenticatesCallers reports whether clients have to prove who they are.
func (s *Settings) AuthenticatesCallers() bool {
	return s.recognizesCallers() || s.TLSClientCAFile != "" && s.TLSClientCertificates == CertificatesRequired
}

func (s *Settings) validateTLS() (faults []error) {
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		given, missing := "tls-cert-file", "tls-key-file"
		if s.TLSCertFile == "" {
			given, missing = missing, given
		}
		faults = append(faults, fmt.Errorf("%s is set and --%s is not: TLS takes both", s.Spelling(given), missing))
	}
	if s.TLSClientCAFile != "" && s.TLSCertFile == "" {
		faults = append(faults, fmt.Errorf("%s needs TLS: set --tls-cert-file and --tls-key-file", s.Spelling("tls-client-ca-file")))
	}
	if s.TLSClientCAFile == "" && s.TLSClientCertificates == CertificatesOptional {
		faults = append(faults, fmt.Errorf("%s needs their authorities: set --tls-client-ca-file", s.Spelling("tls-client-certificates")))
	}
	return append(faults, s.validateChoice("tls-client-certificates", s.TLSClientCertificates, CertificatesOptional, CertificatesRequired))
}
