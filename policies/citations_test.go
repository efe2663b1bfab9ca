package policies_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests check that whatever documents and comments refer to exists: files, headings, the rules and sections of
// DOMAIN.md, and the sections of PROTOCOL.md.

const (
	domain   = "policies/DOMAIN.md"
	protocol = "pdp/authzen/PROTOCOL.md"
)

// madeUp are rule ids that tests and examples invent on purpose.
var madeUp = []string{"REG-99", "REG-I8", "REG-I9"}

// texts reads the repository's documents, code, policies and data, by their paths from its root.
func texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			skipped := strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "node_modules" || name == "bin"
			if skipped {
				return fs.SkipDir
			}
			return nil
		case !slices.Contains([]string{".md", ".go", ".rego", ".yaml"}, path.Ext(name)):
			return nil
		}
		data, err := fs.ReadFile(root, name)
		found[name] = string(data)
		return err
	})
	require.NoError(t, err)
	require.Contains(t, found, domain)
	require.Contains(t, found, protocol)
	return found
}

func TestLinksInDocumentsResolve(t *testing.T) {
	all := texts(t)
	for name, text := range all {
		if path.Ext(name) == ".md" {
			for _, link := range brokenLinks(name, text, all) {
				t.Errorf("%s: the link %s leads nowhere", name, link)
			}
		}
	}
}

func TestCitedRulesExist(t *testing.T) {
	all := texts(t)
	rules := append(rulesOf(all[domain]), madeUp...)
	for name, text := range all {
		for _, id := range ruleID.FindAllString(text, -1) {
			assert.Contains(t, rules, id, "%s cites the rule %s, which is not in %s", name, id, domain)
		}
	}
}

func TestCitedSectionsExist(t *testing.T) {
	all := texts(t)
	for name, text := range all {
		for _, citation := range brokenSections(name, text, all) {
			t.Errorf("%s: %s does not exist", name, citation)
		}
	}
}

// TestBrokenCitationsAreFound runs the checks on a small repository.
func TestBrokenCitationsAreFound(t *testing.T) {
	all := map[string]string{
		domain:   "# Domain\n## 1. Facts\n### 4.2 The `matrix` of (all) access\n| REG-1 | view |\n\nREG-4: only\n```\n## 7. No heading\n```\n",
		protocol: "## 6. Evaluation\n## 10. Transport\n### 10.1 Endpoints\n",
	}
	assert.Equal(t, []string{"REG-1", "REG-4"}, rulesOf(all[domain]))

	links := strings.Join([]string{
		"[a](DOMAIN.md#1-facts) [b](DOMAIN.md#42-the-matrix-of-all-access) [c](../pdp/authzen/PROTOCOL.md)",
		"[d](https://example.org) [e](#here) `[x](no-link)` [f](..)",
		"```\n[y](no-link)\n```",
		"[bad](DOMAIN.md#2-nothing) [bad](PROTOCOL.md) [bad](#there) [bad](../../outside.md)",
		"# Here",
	}, "\n")
	assert.Equal(t, []string{"DOMAIN.md#2-nothing", "PROTOCOL.md", "#there", "../../outside.md"}, brokenLinks("policies/README.md", links, all))

	for text, want := range map[string][]string{
		"// (policies/DOMAIN.md section 1)":                   nil,
		"# See policies/DOMAIN.md\n#   section 4.2 and more.": nil,
		"(policies/DOMAIN.md sections 1, 4.2 and 4.3)":        {"policies/DOMAIN.md section 4.3"},
		"(DOMAIN.md section 1)":                               {"DOMAIN.md"},
		"(policies/DOMAIN.md section 9)":                      {"policies/DOMAIN.md section 9"},
		"pdp/authzen/PROTOCOL.md section 10.1":                nil,
		"pdp/authzen/PROTOCOL.md section 5":                   {"pdp/authzen/PROTOCOL.md section 5"},
		"DESIGN.md section 3":                                 {"DESIGN.md"},
	} {
		assert.Equal(t, want, brokenSections("pdp/engine.go", text, all), text)
	}
	assert.Equal(t, []string{"policies/DOMAIN.md section 9"}, brokenSections("policies/authz/authz.rego", "# (section 9)", all))
	assert.Empty(t, brokenSections("policies/authz/question/question.rego", "# (RFC 9110, section 12.5.3)", all))
	assert.Empty(t, brokenSections("pdp/authzen/search.go", "// (PROTOCOL.md section 6)", all))
	assert.Empty(t, brokenSections("pdp/fold.go", "// (section 77)", all))
}

var ruleID = regexp.MustCompile(`\b(?:ALL|REG|SYS|PRA)-[A-Z]?[0-9]+\b`)

// rulesOf returns the ids of the rules that a document defines: the first cells of table rows, and REG-4, a note below its
// table.
func rulesOf(document string) []string {
	var ids []string
	for _, match := range regexp.MustCompile(`(?m)^(?:\| ([A-Z]+-[A-Z]?[0-9]+) \||([A-Z]+-[A-Z]?[0-9]+): )`).FindAllStringSubmatch(document, -1) {
		ids = append(ids, match[1]+match[2])
	}
	return ids
}

var (
	fenced     = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	anchor     = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
)

// brokenLinks returns the links of a document to files and headings that do not exist in the repository.
func brokenLinks(name, text string, all map[string]string) []string {
	var broken []string
	prose := inlineCode.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
	for _, match := range link.FindAllStringSubmatch(prose, -1) {
		target, fragment, _ := strings.Cut(match[1], "#")
		if strings.Contains(match[1], "://") {
			continue
		}
		document, content := name, text
		if target != "" {
			document = path.Join(path.Dir(name), target)
			content = all[document]
		}
		_, known := all[document]
		if document != name && !known {
			_, err := os.Stat(filepath.Join("..", document))
			known = err == nil && !strings.HasPrefix(document, "../")
		}
		if document != name && !known || fragment != "" && !slices.Contains(anchorsOf(content), fragment) {
			broken = append(broken, match[1])
		}
	}
	return broken
}

// anchorsOf returns the link fragments that GitHub makes from the headings of a document.
func anchorsOf(document string) []string {
	var anchors []string
	document = fenced.ReplaceAllString(document, "")
	for _, match := range heading.FindAllStringSubmatch(document, -1) {
		slug := strings.ReplaceAll(strings.ToLower(match[1]), " ", "-")
		slug = regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(slug, "")
		for base, n := slug, 1; slices.Contains(anchors, slug); n++ {
			slug = fmt.Sprintf("%s-%d", base, n)
		}
		anchors = append(anchors, slug)
	}
	for _, match := range anchor.FindAllStringSubmatch(document, -1) {
		anchors = append(anchors, match[1])
	}
	return anchors
}

var (
	lineBreak = regexp.MustCompile(`\n[ \t]*(?://|#)?[ \t]*`)
	cited     = regexp.MustCompile(`([\w./-]*\b(?:DOMAIN|PROTOCOL|DESIGN|AUTHZEN)\.md)(?:,? (sections? [0-9.]+(?:(?:,| and| to|, and) [0-9.]+)*))?`)
	bare      = regexp.MustCompile(`(\b(?:RFC [0-9]+|\w+\.md),? )?\b(sections? [0-9.]+(?:(?:,| and| to|, and) [0-9.]+)*)`)
	number    = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)*`)
)

// brokenSections returns the cited sections of the two specifications that do not exist, and the citations that name a
// specification by anything but its path, from the root or from the file. Below policies, a section without the name of a
// document is one of DOMAIN.md.
func brokenSections(name, text string, all map[string]string) []string {
	if path.Ext(name) == ".md" || path.Base(name) == "citations_test.go" {
		return nil
	}
	var broken []string
	check := func(document, list string) {
		for _, section := range number.FindAllString(list, -1) {
			if !slices.Contains(sectionsOf(all[document]), section) {
				broken = append(broken, document+" section "+section)
			}
		}
	}
	text = lineBreak.ReplaceAllString(text, " ")
	for _, match := range cited.FindAllStringSubmatch(text, -1) {
		document := match[1]
		if beside := path.Join(path.Dir(name), document); beside == domain || beside == protocol {
			document = beside
		}
		if document != domain && document != protocol {
			broken = append(broken, match[1])
		} else {
			check(document, match[2])
		}
	}
	if strings.HasPrefix(name, "policies/") {
		for _, match := range bare.FindAllStringSubmatch(text, -1) {
			if match[1] == "" {
				check(domain, match[2])
			}
		}
	}
	return broken
}

// sectionsOf returns the numbers of a document's headings.
func sectionsOf(document string) []string {
	var sections []string
	for _, match := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		if section := number.FindString(strings.Fields(match[1])[0]); section != "" && strings.HasPrefix(match[1], section) {
			sections = append(sections, section)
		}
	}
	return sections
}
