package opawire

import (
	"net/http"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/filter"
)

// FilterTarget is a language for filters: a variant of UCAST, or a dialect of SQL.
type FilterTarget struct {
	Variant filter.Variant // of UCAST; "" for SQL
	Dialect filter.Dialect // of SQL; "" for UCAST
}

// The names of the targets in OPA's API: in the media type application/vnd.opa.NAME+json, and with a plus sign in targetDialects.
var filterTargets = map[string]FilterTarget{
	"ucast.all": {Variant: filter.UCASTAll}, "ucast.minimal": {Variant: filter.UCASTMinimal},
	"ucast.linq": {Variant: filter.UCASTLINQ}, "ucast.prisma": {Variant: filter.UCASTPrisma},
	"sql.postgresql": {Dialect: filter.PostgreSQL}, "sql.mysql": {Dialect: filter.MySQL}, "sql.sqlite": {Dialect: filter.SQLite},
}

const (
	filterMediaPrefix = "application/vnd.opa."
	filterMediaSuffix = "+json"
	severalTargets    = "multitarget"
)

// FilterRequest is a request for a filter.
type FilterRequest struct {
	Filter    pdp.FilterRequest // without its path
	Targets   []FilterTarget
	MediaType string         // of the response
	several   bool           // the response has a member for each language
	tables    []filter.Names // for each target
}

// ParseFilterRequest parses the body and the header Accept of a request for a filter.
func ParseFilterRequest(header http.Header, members map[string]any) (FilterRequest, error) {
	r := FilterRequest{Filter: pdp.FilterRequest{Input: InputMember(members["input"])}}
	if members["query"] != nil {
		return r, invalid(`The member "query" is not supported: name the rule in the path.`)
	}
	var err error
	if r.Filter.Tables, err = texts(members["unknowns"], "unknowns"); err != nil {
		return r, err
	}
	options, ok := members["options"].(map[string]any)
	if !ok && members["options"] != nil {
		return r, invalid(`The member "options" is not an object: send an object, or leave it out.`)
	}
	for name, value := range options {
		if name != "targetDialects" && name != "targetSQLTableMappings" && value != nil {
			return r, invalid("An option is not supported: send targetDialects and targetSQLTableMappings alone.")
		}
	}
	dialects, err := texts(options["targetDialects"], "options.targetDialects")
	if err != nil {
		return r, err
	}
	if err := r.chooseTargets(strings.Join(header.Values("Accept"), ","), dialects); err != nil {
		return r, err
	}
	names, ok := options["targetSQLTableMappings"].(map[string]any)
	if !ok && options["targetSQLTableMappings"] != nil {
		return r, invalid(`The member "options.targetSQLTableMappings" is not an object: send an object, or leave it out.`)
	}
	for _, target := range r.Targets {
		of, err := target.namesIn(names)
		if err != nil {
			return r, err
		}
		r.tables = append(r.tables, of)
	}
	return r, nil
}

func texts(value any, name string) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	all := make([]string, len(list))
	for i := range list {
		text, isText := list[i].(string)
		all[i], ok = text, ok && isText
	}
	if !ok || len(all) > maxFilterTexts {
		return nil, invalid("The member \"" + name + "\" is not a short list of strings.")
	}
	return all, nil
}

// maxFilterTexts limits the lists in a request for a filter.
const maxFilterTexts = 32

func (r *FilterRequest) chooseTargets(accept string, dialects []string) error {
	name, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(accept)), filterMediaPrefix)
	name, isJSON := strings.CutSuffix(name, filterMediaSuffix)
	r.MediaType = filterMediaPrefix + name + filterMediaSuffix
	if target, known := filterTargets[name]; ok && isJSON && known {
		r.Targets = []FilterTarget{target}
		return nil
	}
	if !ok || !isJSON || name != severalTargets {
		return invalid("The header Accept names no language for filters: send application/vnd.opa. and " + targetNames() + " or multitarget, and +json.")
	}
	r.several = true
	for _, dialect := range dialects {
		target, known := filterTargets[strings.Replace(dialect, "+", ".", 1)]
		if !known || !strings.Contains(dialect, "+") {
			return invalid(`The member "options.targetDialects" has a name that is not one of ` + strings.ReplaceAll(targetNames(), ".", "+") + ".")
		}
		if !slices.Contains(r.Targets, target) {
			r.Targets = append(r.Targets, target)
		}
	}
	if len(r.Targets) == 0 {
		return invalid(`The member "options.targetDialects" is missing: name the languages, such as "sql+postgresql".`)
	}
	return nil
}

func targetNames() string {
	names := make([]string, 0, len(filterTargets))
	for name := range filterTargets {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// language returns the name of the target's member in a response of several.
func (t FilterTarget) language() string {
	if t.Dialect != "" {
		return string(t.Dialect)
	}
	return "ucast"
}

// namesIn returns the names of tables and columns for a target: those of its own member, or those for all.
func (t FilterTarget) namesIn(all map[string]any) (filter.Names, error) {
	family, variant := "ucast", string(t.Variant)
	if t.Dialect != "" {
		family, variant = "sql", string(t.Dialect)
	}
	for _, name := range []string{variant, family} {
		if own, ok := all[name].(map[string]any); ok {
			all = own
			break
		}
	}
	names := filter.Names{}
	for of, value := range all {
		members, ok := value.(map[string]any)
		if !ok {
			return nil, errNames
		}
		table := filter.Table{Columns: map[string]string{}}
		for name, to := range members {
			text, ok := to.(string)
			switch {
			case !ok:
				return nil, errNames
			case name == "$self":
				table.Name = text
			default:
				table.Columns[name] = text
			}
		}
		names[of] = table
	}
	if err := names.Check(); err != nil {
		return nil, invalid("In options.targetSQLTableMappings, " + err.Error() + ".")
	}
	return names, nil
}

var errNames = invalid(`The member "options.targetSQLTableMappings" must have an object for each table, with the names of columns, and of the table as $self.`)

// Append appends the response as JSON.
func (r *FilterRequest) Append(out []byte, c filter.Condition) ([]byte, error) {
	results := map[string]any{}
	for i, target := range r.Targets {
		result, err := target.render(c, r.tables[i])
		if err != nil {
			return nil, invalid("The filter cannot be given: " + err.Error() + ".")
		}
		if result != nil {
			results[target.language()] = result
		}
	}
	w := authzen.ObjectWriter{Buf: out}
	switch {
	case r.several:
		w.Value("result", results)
	case len(results) > 0:
		w.Value("result", results[r.Targets[0].language()])
	}
	if holds, ok := filter.Unconditional(c); ok {
		w.Value("unconditional", map[bool]string{true: "yes", false: "no"}[holds])
	}
	return w.Close()
}

// render returns a filter in the target's language; nil if it is an unconditional no that the language cannot say.
func (t FilterTarget) render(c filter.Condition, names filter.Names) (map[string]any, error) {
	if t.Dialect != "" {
		clause, parameters := filter.SQL(c, names, t.Dialect)
		return map[string]any{"query": clause, "parameters": parameters}, nil
	}
	tree, err := filter.UCAST(c, names, t.Variant)
	if err != nil || tree == nil {
		return nil, err
	}
	return map[string]any{"query": tree}, nil
}
