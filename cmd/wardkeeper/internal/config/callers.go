package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// Caller is an entry of the key callers of the YAML file: a client of the server, what it may do, and how it is recognized.
type Caller struct {
	Name  string
	Roles []string
	// TokenFile holds its bearer tokens, one a line.
	TokenFile string
	// ClientID and ClientSecretFile are its credentials for HTTP Basic. The file holds secrets, one a line.
	ClientID, ClientSecretFile string
	// CertificateSubject is the distinguished name in its client certificate, CertificateSAN an alternative name there, with its
	// kind: DNS:, URI:, email: or IP:.
	CertificateSubject, CertificateSAN string
	// JWTSubject is the subject of its JSON Web Tokens, JWTClaim any other claim and its value, NAME=VALUE.
	JWTSubject, JWTClaim string
	// Rate limits its requests per second, Burst how many may come at once: as many as Rate if it is 0. No limit if Rate is 0.
	Rate, Burst int

	// Setting names the entry in messages.
	Setting string
}

// JWT is the key jwt of the YAML file: which JSON Web Tokens callers may send.
type JWT struct {
	Issuer, Audience  string
	Algorithms        []string
	KeysURL, KeysFile string // one of them
	KeysCAFile        string // the authorities of the certificate at KeysURL (PEM); "" means the system's
}

// Claim returns the claim of JSON Web Tokens, and its value, by which the caller is recognized; "" if by none.
func (c *Caller) Claim() (name, value string) {
	if c.JWTSubject != "" {
		return "sub", c.JWTSubject
	}
	name, value, _ = strings.Cut(c.JWTClaim, "=")
	return name, value
}

const (
	callersKey = "callers"
	jwtKey     = "jwt"
	maxCallers = 256
)

// AllCallers returns the callers of the file, and those that --token-file and --changes-token-file stand for.
func (s *Settings) AllCallers() []Caller {
	var all []Caller
	if s.TokenFile != "" {
		roles := []string{string(httpapi.RoleAsk), string(httpapi.RoleExplain), string(httpapi.RoleSearch), string(httpapi.RoleOPA), string(httpapi.RoleOperations)}
		all = append(all, Caller{Name: "token_file", Roles: roles, TokenFile: s.TokenFile, Setting: s.Spelling("token-file")})
	}
	if s.ChangesTokenFile != "" {
		roles := []string{string(httpapi.RoleAnnounce)}
		all = append(all, Caller{Name: "changes_token_file", Roles: roles, TokenFile: s.ChangesTokenFile, Setting: s.Spelling("changes-token-file")})
	}
	return append(all, s.Callers...)
}

// recognizesCallers reports whether there are callers for anything but announcements. Everybody else is then refused.
func (s *Settings) recognizesCallers() bool {
	return slices.ContainsFunc(s.AllCallers(), func(c Caller) bool {
		return slices.ContainsFunc(c.Roles, func(role string) bool { return role != string(httpapi.RoleAnnounce) })
	})
}

// table lists the settings of a caller, like the table of [Settings].
func (c *Caller) table() *pflag.FlagSet {
	t := pflag.NewFlagSet(callersKey, pflag.ContinueOnError)
	t.StringVar(&c.Name, "name", "", "")
	t.StringSliceVar(&c.Roles, "roles", nil, "")
	t.StringVar(&c.TokenFile, "token_file", "", "")
	t.StringVar(&c.ClientID, "client_id", "", "")
	t.StringVar(&c.ClientSecretFile, "client_secret_file", "", "")
	t.StringVar(&c.CertificateSubject, "certificate_subject", "", "")
	t.StringVar(&c.CertificateSAN, "certificate_san", "", "")
	t.StringVar(&c.JWTSubject, "jwt_subject", "", "")
	t.StringVar(&c.JWTClaim, "jwt_claim", "", "")
	t.IntVar(&c.Rate, "rate", 0, "")
	t.IntVar(&c.Burst, "burst", 0, "")
	return t
}

func (j *JWT) table() *pflag.FlagSet {
	t := pflag.NewFlagSet(jwtKey, pflag.ContinueOnError)
	t.StringVar(&j.Issuer, "issuer", "", "")
	t.StringVar(&j.Audience, "audience", "", "")
	t.StringSliceVar(&j.Algorithms, "algorithms", nil, "")
	t.StringVar(&j.KeysURL, "keys_url", "", "")
	t.StringVar(&j.KeysFile, "keys_file", "", "")
	t.StringVar(&j.KeysCAFile, "keys_ca_file", "", "")
	return t
}

// callers reads the key callers.
func (l *loader) callers(path string, value *yaml.Node) {
	if value.Tag == "!!null" {
		return
	}
	if value.Kind != yaml.SequenceNode {
		l.fault("%s:%d: %s must be a list of callers, such as `- {name: portal, roles: [ask], token_file: portal.txt}`", path, value.Line, callersKey)
		return
	}
	for i, node := range value.Content {
		c := Caller{Setting: fmt.Sprintf("%s:%d: %s[%d]", path, node.Line, callersKey, i)}
		if !l.members(path, c.Setting, node, c.table()) {
			l.settings.callersInvalid = true
			continue
		}
		l.settings.Callers = append(l.settings.Callers, c)
	}
}

// jwt reads the key jwt.
func (l *loader) jwt(path string, value *yaml.Node) {
	if value.Tag == "!!null" {
		return
	}
	j := &JWT{}
	l.members(path, fmt.Sprintf("%s:%d: %s", path, value.Line, jwtKey), value, j.table())
	l.settings.JWT = j
}

// members reads a mapping by a table. It reports whether it has no fault.
func (l *loader) members(path, name string, value *yaml.Node, table *pflag.FlagSet) bool {
	faults := len(l.faults)
	if value.Kind != yaml.MappingNode {
		l.fault("%s must have members", name)
		return false
	}
	var known []string
	table.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	seen := map[string]bool{}
	for i := 0; i+1 < len(value.Content); i += 2 {
		key, member := value.Content[i], value.Content[i+1]
		where := fmt.Sprintf("%s:%d", path, key.Line)
		f := table.Lookup(key.Value)
		switch {
		case f == nil:
			l.fault("%s: %q is not a setting: %scorrect or remove it", where, key.Value, suggest.DidYouMean("", key.Value, known))
		case seen[key.Value]:
			l.fault("%s: %s is already set: remove one of them", where, key.Value)
		case f.Value.Type() == "stringSlice" && isList(member):
			var texts []string
			for _, text := range member.Content {
				texts = append(texts, text.Value)
			}
			_ = f.Value.(pflag.SliceValue).Replace(texts) // cannot fail: texts need no parsing
		case f.Value.Type() == "stringSlice":
			l.fault("%s: %s must be a list", where, key.Value)
		case member.Kind != yaml.ScalarNode:
			l.fault("%s: %s must be a single value", where, key.Value)
		case member.Tag != "!!null":
			l.setIn(f, where+": "+key.Value, member.Value)
		}
		seen[key.Value] = true
	}
	return len(l.faults) == faults
}

// callerName matches names of callers. They are logged with each request.
var callerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (s *Settings) validateCallers() (faults []error) {
	all := s.AllCallers()
	if len(all) > maxCallers {
		faults = append(faults, fmt.Errorf("there are more than %d callers", maxCallers))
	}
	owners := map[string]string{}
	for _, c := range all {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s: "+format, append([]any{c.Setting}, args...)...))
		}
		if !callerName.MatchString(c.Name) {
			fault("name is %q: use up to 64 letters, digits, dots, hyphens and underscores", c.Name)
		}
		for _, proof := range []string{
			"name=" + c.Name, "client_id=" + c.ClientID, "certificate_subject=" + c.CertificateSubject, "certificate_san=" + c.CertificateSAN,
			"jwt_subject=" + c.JWTSubject, "jwt_claim=" + c.JWTClaim,
		} {
			if before, ok := owners[proof]; ok && !strings.HasSuffix(proof, "=") {
				fault("%s is that of %s: each caller needs its own", proof, before)
			}
			owners[proof] = c.Setting
		}
		c.validateRoles(fault)
		c.validateProofs(s, fault)
	}
	return append(faults, s.validateJWT()...)
}

func (c *Caller) validateRoles(fault func(format string, args ...any)) {
	var known []string
	for _, role := range httpapi.Roles() {
		known = append(known, string(role))
	}
	if len(c.Roles) == 0 {
		fault("roles is missing: choose from %s", strings.Join(known, ", "))
	}
	for _, role := range c.Roles {
		if !slices.Contains(known, role) {
			fault("%q is not a role: %schoose from %s", role, suggest.DidYouMean("", role, known), strings.Join(known, ", "))
		}
	}
	if c.Rate < 0 || c.Burst < 0 || c.Rate > maxNumber || c.Burst > maxNumber {
		fault("rate and burst must be numbers from 0 to %d", maxNumber)
	}
	if c.Burst > 0 && c.Rate == 0 {
		fault("burst needs a rate")
	}
}

// sanKinds are the kinds of names of [Caller.CertificateSAN].
var sanKinds = []string{"DNS", "URI", "email", "IP"}

func (c *Caller) validateProofs(s *Settings, fault func(format string, args ...any)) {
	byCertificate, byJWT := c.CertificateSubject != "" || c.CertificateSAN != "", c.JWTSubject != "" || c.JWTClaim != ""
	if c.TokenFile == "" && c.ClientID == "" && c.ClientSecretFile == "" && !byCertificate && !byJWT {
		fault("nothing says how it is recognized: set token_file, client_id and client_secret_file, certificate_subject, certificate_san, jwt_subject or jwt_claim")
	}
	if (c.ClientID == "") != (c.ClientSecretFile == "") {
		fault("HTTP Basic takes both client_id and client_secret_file")
	}
	if strings.ContainsFunc(c.ClientID, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }) {
		fault("client_id must not have colons or control characters")
	}
	if byCertificate && s.TLSClientCAFile == "" {
		fault("client certificates need their authorities: set --tls-client-ca-file")
	}
	if kind, name, _ := strings.Cut(c.CertificateSAN, ":"); c.CertificateSAN != "" && (!slices.Contains(sanKinds, kind) || name == "") {
		fault("certificate_san is %q: write DNS:, URI:, email: or IP: and the name", c.CertificateSAN)
	}
	if byJWT && s.JWT == nil {
		fault("JSON Web Tokens need an issuer: set the key jwt")
	}
	if c.JWTSubject != "" && c.JWTClaim != "" {
		fault("choose one of jwt_subject and jwt_claim")
	}
	if name, value, _ := strings.Cut(c.JWTClaim, "="); c.JWTClaim != "" && (name == "" || value == "") {
		fault("jwt_claim is %q: write NAME=VALUE", c.JWTClaim)
	}
	if slices.Contains(c.Roles, string(httpapi.RoleAnnounce)) && c.Name != "changes_token_file" && KindOf(s.Directory) == FileDirectory {
		fault("the role announce requires a directory of https:// or postgres://: a directory file is read whole by each sidecar")
	}
}

// validateJWT finds what does not depend on the files; the verifier finds the rest.
func (s *Settings) validateJWT() (faults []error) {
	used := slices.ContainsFunc(s.Callers, func(c Caller) bool { return c.JWTSubject != "" || c.JWTClaim != "" })
	if s.JWT != nil && !used && !s.callersInvalid {
		faults = append(faults, fmt.Errorf("%s is set and no caller has a jwt_subject or a jwt_claim", jwtKey))
	}
	if s.JWT != nil && s.JWT.KeysCAFile != "" && s.JWT.KeysURL == "" {
		faults = append(faults, fmt.Errorf("%s: keys_ca_file is for keys_url", jwtKey))
	}
	return faults
}
