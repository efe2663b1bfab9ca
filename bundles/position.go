package bundles

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxTables is how many bytes of tables are kept to say where a fault in one is. Larger ones are not written by hand.
const maxTables = 1 << 20

// tablesOf returns the YAML files of an archive's data; nil if they are too large to be kept.
func tablesOf(a *Archive) (tables []File) {
	size := 0
	for _, f := range a.Files {
		if ext := path.Ext(f.Name); ext != ".yaml" && ext != ".yml" || !IsBundleFile(f.Name) || f.Name == ApprovedFile {
			continue
		}
		if size += len(f.Data); size > maxTables {
			return nil
		}
		tables = append(tables, f)
	}
	return tables
}

// Position returns the file and the line of a value of the data, such as authz, regional, roles, ed_admin; of what it is in, where it
// lacks the rest. The line is 0 if no YAML file has any of it.
func (r *Revision) Position(names ...string) (file string, line int) {
	deepest := 0
	for _, f := range r.tables {
		within := names
		if dir := path.Dir(f.Name); dir != "." {
			folders := strings.Split(dir, "/")
			if len(folders) >= len(names) || !strings.HasPrefix(strings.Join(names, "/")+"/", dir+"/") {
				continue
			}
			within = names[len(folders):]
		}
		node, err := parseYAML(f.Data)
		if err != nil || node == nil {
			continue
		}
		if at, depth := lineOf(node, within); depth > 0 && len(names)-len(within)+depth > deepest {
			file, line, deepest = f.Name, at, len(names)-len(within)+depth
		}
	}
	return file, line
}

// lineOf returns the line of the deepest of some names that are nested in a node, and how many are.
func lineOf(node *yaml.Node, names []string) (line, depth int) {
	for _, name := range names {
		if node.Kind != yaml.MappingNode {
			break
		}
		found := false
		for i := 0; i+1 < len(node.Content) && !found; i += 2 {
			if found = node.Content[i].Value == name; found {
				line, depth, node = node.Content[i].Line, depth+1, node.Content[i+1]
			}
		}
		if !found {
			break
		}
	}
	return line, depth
}
