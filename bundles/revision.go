package bundles

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// Config says which policy to open, and how.
type Config struct {
	// Raw is a .tar.gz, Archive is one that has been unpacked, and Files is a tree of policy: *.rego, data.yaml and
	// data.json. One of them is given. Tests (*_test.rego) are left out.
	Raw     []byte
	Archive *Archive
	Files   fs.FS
	// Source names the bundle in error messages, such as "built-in", a path or an address; "" leaves it out.
	Source string
	// Entrypoint is the path of the decision below data, such as "authz/decision".
	Entrypoint string
	// Schema is the JSON Schema of the input; nil leaves references into the input unchecked. It applies to policies that
	// judge by membership facts, which have a rule `catalogue` in the package of their entrypoint.
	Schema []byte
	// Verification says which keys may sign; nil ignores signatures.
	Verification *Verification
	// CheckRelease is called after the manifest has been read and before anything is compiled. Its error refuses the
	// release. Nil accepts every release.
	CheckRelease func(*Revision) error
	// Limits bound how much is read. The size limits of an Archive were applied when it was read.
	Limits Limits
}

// Revision is a compiled policy. It is immutable and safe for concurrent use.
type Revision struct {
	ID         string // a hash of the content, independent of packing, signature and white space in data
	Label      string // the author's name for it: the manifest's revision; "" if it has none
	Sequence   int64  // orders releases, from the manifest's metadata; 0 if it has none
	SignedBy   string // the id of the key that verified it; "" if none did, or if the key has no id
	Verified   bool   // whether a signature was verified
	Source     string
	Entrypoint string
	Golden     []byte    // its golden decisions as JSON; nil if it has none
	Approved   []byte    // its [ApprovedFile]; nil if it has none
	NotLoaded  []string  // the names of files that look like policy or data but are neither
	Opened     time.Time // when it was compiled

	compiling sync.Mutex // queries and plans are compiled one at a time: OPA writes to the compiler
	compiler  *ast.Compiler
	masks     *Revision            // the policy with the rules that hide parts of records; nil if there are none
	filters   map[string][]ast.Ref // the tables of each, by its path
	tables    []File               // the YAML files of its data, for [Revision.Position]
	inputs    inputReads
	constants map[string]bool
	store     storage.Store
	txn       storage.Transaction // stays open: nothing ever writes
}

// Open verifies, parses and compiles a policy under [Capabilities]. The error is a [*Refusal]. Compile errors name file and
// line.
func Open(ctx context.Context, cfg Config) (*Revision, error) {
	r, verified, err := open(ctx, cfg)
	if err != nil {
		refusal := AsRefusal(err, Malformed)
		refusal.Verified = verified
		if cfg.Source != "" {
			refusal.Err = fmt.Errorf("policy %s: %w", cfg.Source, err)
		}
		return nil, refusal
	}
	return r, nil
}

// open also reports whether the signature was valid, even if opening fails.
func open(ctx context.Context, cfg Config) (r *Revision, verified bool, err error) {
	defer func() {
		if cause := recover(); cause != nil { // a bundle must not crash the process
			r, err = nil, Refusef(Malformed, "it cannot be compiled: %q", short(fmt.Sprint(cause)))
		}
	}()
	r = &Revision{Source: cfg.Source, Entrypoint: strings.Trim(cfg.Entrypoint, "/"), Opened: time.Now()}
	if !entrypointForm.MatchString(r.Entrypoint) {
		return nil, false, Refusef(Entrypoint, "%q is not the path of a rule: name it below data, with slashes, such as authz/decision", short(r.Entrypoint))
	}
	in, err := cfg.authenticate()
	if err != nil {
		return nil, false, err
	}
	r.SignedBy, r.Verified, verified = in.keyID, in.verified, in.verified
	r.NotLoaded, r.Approved = in.archive.NotLoaded, in.archive.Find(ApprovedFile)
	return r, verified, r.build(ctx, in.archive, cfg)
}

// WarnNotLoaded logs the files that people could mistake for tables in force.
func (r *Revision) WarnNotLoaded(log *slog.Logger) {
	if len(r.NotLoaded) > 0 {
		log.Warn("some files of the policy are not loaded: data is loaded from data.json, data.yaml and data.yml, and rules from *.rego",
			"files", r.NotLoaded, "source", r.Source)
	}
}

// entrypointForm allows only one spelling of a path, because rules in the package of the entrypoint are found by it.
var entrypointForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*$`)

// build parses and compiles an archive.
func (r *Revision) build(ctx context.Context, a *Archive, cfg Config) error {
	if err := checkContent(a); err != nil {
		return err
	}
	content, err := Parse(a)
	if err != nil {
		return err
	}
	r.ID, r.Label, r.Sequence = content.ID, content.Label, content.Sequence
	if err := checkRoots(content.Manifest, r.Entrypoint); err != nil {
		return err
	}
	if cfg.CheckRelease != nil {
		if err := cfg.CheckRelease(r); err != nil {
			return err
		}
	}
	if r.Golden, err = content.TakeGolden(); err != nil {
		return err
	}
	r.tables = tablesOf(a)
	if err := r.compile(ctx, content, cfg.Schema); err != nil {
		return Refusef(Compile, "%w", err)
	}
	if !r.isRule(r.Entrypoint) {
		return Refusef(Entrypoint, "there is no rule %s: name the rule that decides (--decision)", r.dataPath(r.Entrypoint))
	}
	return nil
}
