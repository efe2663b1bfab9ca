package bundles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

// Config says where policy is and what of it is asked.
type Config struct {
	// Raw is a .tar.gz, Archive one that has been unpacked, and Files a tree of policy: *.rego, data.yaml and data.json.
	// One of them is given. Tests (*_test.rego) are left out of each.
	Raw     []byte
	Archive *Archive
	Files   fs.FS
	// Source names the bundle in error messages, such as "built-in", a path or an address; "" leaves it out.
	Source string
	// Entrypoint is the path of the decision below data, such as "authz/decision".
	Entrypoint string
	// Schema is the JSON Schema of the input, as bytes; nil leaves references into the input unchecked. It is for policies
	// that judge by membership facts, which have a catalogue beside their entrypoint.
	Schema []byte
	// Verification is by which keys the signature has to hold; nil leaves it unread.
	Verification *Verification
	// CheckRelease is called once the manifest has been read, before anything is compiled. Its error refuses the
	// release. Nil accepts every release.
	CheckRelease func(*Revision) error
	// Limits bound the tree and its tables; an archive was bounded when it was read, and its tables are now.
	Limits Limits
}

// Revision is one compiled policy: immutable and safe for concurrent use.
type Revision struct {
	ID         string // a hash of the content: the same content gives the same id, however it is packed, signed or spaced
	Label      string // what its author calls it: the manifest's revision; "" where there is none
	Sequence   int64  // its place in the order of releases, from the manifest's metadata; 0 where there is none
	SignedBy   string // the id of the key that it was verified by; "" where it was not, or the key has no id
	Verified   bool   // whether a signature was verified
	Source     string
	Entrypoint string
	Golden     []byte    // the golden decisions that it brings, as JSON; nil where there are none
	NotLoaded  []string  // files that look like policy or data and are neither, by their names
	Opened     time.Time // when it was compiled

	compiler *ast.Compiler
	inputs   inputReads
	words    map[string]bool
	store    storage.Store
	read     storage.Transaction // open for good: nothing ever writes
}

// Open verifies, reads and compiles policy under capabilities that offer no I/O, no clock and no randomness. Its error is
// a [*Refusal] that says in a word what is wrong, and in a sentence where: compile errors name file and line.
func Open(ctx context.Context, cfg Config) (*Revision, error) {
	r, proven, err := open(ctx, cfg)
	if err != nil {
		refusal := AsRefusal(err, Malformed)
		refusal.Verified = proven
		if cfg.Source != "" {
			refusal.Err = fmt.Errorf("policies %s: %w", cfg.Source, err)
		}
		return nil, refusal
	}
	return r, nil
}

// open says besides whether there was a valid signature, whatever came of it.
func open(ctx context.Context, cfg Config) (r *Revision, proven bool, err error) {
	defer func() {
		if cause := recover(); cause != nil { // a parser or compiler that a bundle brings down is no reason to stop deciding
			r, err = nil, Refusef(Malformed, "it cannot be compiled: %q", short(fmt.Sprint(cause)))
		}
	}()
	r = &Revision{Source: cfg.Source, Entrypoint: strings.Trim(cfg.Entrypoint, "/"), Opened: time.Now()}
	if !entrypointForm.MatchString(r.Entrypoint) {
		return nil, false, Refusef(Entrypoint, "%q is no path of a rule: name it below data, with slashes, such as authz/decision", short(r.Entrypoint))
	}
	in, err := cfg.admit()
	if err != nil {
		return nil, false, err
	}
	r.SignedBy, r.Verified, proven = in.keyID, in.verified, in.verified
	r.NotLoaded = in.archive.NotLoaded
	return r, proven, r.build(ctx, in.archive, cfg)
}

// WarnNotLoaded logs the files that people may take for tables in force.
func (r *Revision) WarnNotLoaded(log *slog.Logger) {
	if len(r.NotLoaded) > 0 {
		log.Warn("some files of the policy are not loaded: data is loaded from data.json, data.yaml and data.yml, and rules from *.rego",
			"files", r.NotLoaded, "source", r.Source)
	}
}

// Verify reads and verifies a bundle without parsing its policy. It reports whether a signature was verified. The error
// is a [*Refusal].
func Verify(cfg Config) (a *Archive, verified bool, err error) {
	in, err := cfg.admit()
	if err == nil {
		err = checkContent(in.archive)
	}
	if err != nil {
		return nil, false, AsRefusal(err, Malformed)
	}
	return in.archive, in.verified, nil
}

// admit reads the policy from where it is, and verifies it.
func (cfg Config) admit() (admitted, error) {
	v := cfg.Verification
	if v == nil {
		v = &Verification{}
	}
	switch {
	case cfg.Raw != nil:
		return v.admit(cfg.Raw, cfg.Limits)
	case cfg.Archive != nil:
		return v.admitArchive(cfg.Archive, cfg.Limits)
	}
	a, err := ReadTree(cfg.Files, cfg.Limits)
	if err != nil {
		return admitted{}, err
	}
	return v.admitArchive(a, cfg.Limits)
}

// entrypointForm keeps to one spelling of a path, since rules beside the entrypoint are found by it.
var entrypointForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*$`)

// build compiles what was admitted.
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
	if err := r.compile(ctx, content, cfg.Schema); err != nil {
		return Refusef(Compile, "%w", err)
	}
	if !r.isRule(r.Entrypoint) {
		return Refusef(Entrypoint, "there is no rule %s to decide by: name the one that is (--decision)", r.dataPath(r.Entrypoint))
	}
	return nil
}

func (r *Revision) compile(ctx context.Context, content *Content, schema []byte) error {
	r.store = inmem.NewFromObjectWithOpts(content.Data,
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	read, err := r.store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	r.read = read
	modules := make(map[string]*ast.Module, len(content.Modules))
	for _, m := range content.Modules {
		modules[m.Path] = m.Parsed
	}
	r.compiler = ast.NewCompiler().
		WithCapabilities(Capabilities()).
		WithStrict(true).
		SetErrorLimit(0).
		WithPathConflictsCheck(storage.NonEmpty(ctx, r.store, read))
	if schema != nil && r.hasCatalogue(modules) {
		set, err := schemaSet(schema)
		if err != nil {
			return err
		}
		r.compiler = r.compiler.WithSchemas(set)
	}
	r.compiler.Compile(modules)
	if r.compiler.Failed() {
		return faults(r.compiler.Errors)
	}
	r.inputs, r.words = readsOf(modules), wordsOf(modules)
	return nil
}

// hasCatalogue says whether the policy judges by membership facts, whose shape the schema describes.
func (r *Revision) hasCatalogue(modules map[string]*ast.Module) bool {
	home := r.dataPath(path.Dir(r.Entrypoint))
	for _, m := range modules {
		if m.Package.Path.String() != home {
			continue
		}
		for _, rule := range m.Rules {
			if rule.Head.Ref().String() == "catalogue" {
				return true
			}
		}
	}
	return false
}

func schemaSet(schema []byte) (*ast.SchemaSet, error) {
	var value any
	if err := util.UnmarshalJSON(schema, &value); err != nil {
		return nil, fmt.Errorf("the schema of the input: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, value)
	return set, nil
}

// Defines says whether there are rules at or beneath a path below data, such as "authz/allow".
func (r *Revision) Defines(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesWithPrefix(ref)) > 0
}

// Members names the members that the object at a path below data can have by its rules, such as "subject" where there is
// a rule candidates.subject. open says that there may be others, whose names depend on what is asked.
func (r *Revision) Members(path string) (names []string, open bool) {
	ref, err := ast.ParseRef(r.dataPath(path))
	if err != nil {
		return nil, false
	}
	for _, rule := range r.compiler.GetRulesWithPrefix(ref) {
		for ; rule != nil; rule = rule.Else {
			found, more := membersOf(rule, len(ref))
			names, open = append(names, found...), open || more
		}
	}
	return names, open
}

// membersOf are those that one rule gives an object whose own reference has a number of terms.
func membersOf(rule *ast.Rule, own int) (names []string, open bool) {
	if at := rule.Ref(); len(at) > own {
		name, ok := at[own].Value.(ast.String)
		return []string{string(name)}, !ok
	}
	if rule.Head.Value == nil {
		return nil, false // a set has no members
	}
	value := rule.Head.Value
	for _, expr := range rule.Body { // the compiler moves what is not constant into the body
		if (expr.IsEquality() || expr.IsAssignment()) && expr.Operand(0).Equal(value) {
			value = expr.Operand(1)
			break
		}
	}
	switch value := value.Value.(type) {
	case ast.Object:
		for _, key := range value.Keys() {
			name, ok := key.Value.(ast.String)
			names, open = append(names, string(name)), open || !ok
		}
		return names, open
	case ast.Var, ast.Ref, ast.Call, *ast.ObjectComprehension:
		return nil, true
	}
	return nil, false
}

// isRule says whether a path names a rule, and not a package of them.
func (r *Revision) isRule(path string) bool {
	ref, err := ast.ParseRef(r.dataPath(path))
	return err == nil && len(r.compiler.GetRulesExact(ref)) > 0
}

func (r *Revision) dataPath(path string) string {
	return "data." + strings.ReplaceAll(strings.Trim(path, "/"), "/", ".")
}

// What is told of compile errors: how many, and how many bytes of each.
const (
	maxFaults = 50
	maxFault  = 500
)

// faults lists the compile errors, a line each.
func faults(errs ast.Errors) error {
	all := make([]error, 0, min(len(errs), maxFaults)+1)
	for i, err := range errs {
		if i == maxFaults {
			all = append(all, fmt.Errorf("and %d more", len(errs)-i))
			break
		}
		text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "/")
		if len(text) > maxFault {
			text = strings.ToValidUTF8(text[:maxFault], "") + "..."
		}
		if name, ok := impureIn(text); ok {
			text += ": policies are pure, and " + name + " is not"
		}
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}
