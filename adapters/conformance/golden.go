package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// goldenDecision is an answer of the policy, as the files of testdata/decisions have them.
type goldenDecision struct {
	Name        string
	Decision    bool
	Reasons     []map[string]any
	Obligations []map[string]any
	Advice      []map[string]any
}

// golden has the cases of golden decisions, and what the decision point answers about each resource.
type golden struct {
	cases   []testCase
	answers map[string]string
}

// readGolden reads the files below a folder. Of decisions with the same answer, it keeps the first.
func readGolden(folder string) (golden, error) {
	all, seen := golden{answers: map[string]string{}}, map[string]bool{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var file struct{ Cases []goldenDecision }
		if err := yaml.Unmarshal(data, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, d := range file.Cases {
			answer, err := d.answer()
			if err != nil {
				return fmt.Errorf("%s: %s: %w", path, d.Name, err)
			}
			if !seen[answer] {
				seen[answer] = true
				c := d.expect(fmt.Sprintf("golden-%d", len(all.cases)))
				c.Name = fmt.Sprintf("the golden decision %s: %s", strings.TrimSuffix(filepath.Base(path), ".yaml"), d.Name)
				all.answers[strings.TrimPrefix(c.Request, "GET /users/")] = answer
				all.cases = append(all.cases, c)
			}
		}
		return nil
	})
	if err == nil && len(all.cases) == 0 {
		err = errors.New("there are no golden decisions in " + folder)
	}
	return all, err
}

// answer returns the body of the decision point's answer (pdp/authzen/PROTOCOL.md).
func (d goldenDecision) answer() (string, error) {
	body := map[string]any{"decision": d.Decision}
	about := map[string]any{}
	for name, list := range map[string][]map[string]any{"reasons": d.Reasons, "obligations": d.Obligations, "advice": d.Advice} {
		if len(list) > 0 {
			about[name] = list
		}
	}
	if len(about) > 0 {
		body["context"] = about
	}
	text, err := json.Marshal(body)
	return string(text), err
}

// expect returns the case for the decision, by the duties of the contract and what the sample application can do.
func (d goldenDecision) expect(id string) testCase {
	one := 1
	c := testCase{Duty: "PEP-1", Request: "GET /users/" + id, Status: 200, Requests: &one}
	if len(d.Obligations) > 0 {
		c.Duty = "PEP-4"
	}
	confirms := false
	for _, o := range d.Obligations {
		properties, _ := o["properties"].(map[string]any)
		isConfirm := o["type"] == "custom" && properties["action"] == "confirm"
		confirms = confirms || isConfirm
		if !isConfirm && !(o["type"] == "notification" && properties["channel"] == "email") {
			c.Status, c.Code = 403, "denied"
		}
	}
	switch {
	case !d.Decision:
		c.Duty, c.Status, c.Code, c.JSON = "PEP-9", 403, "denied", map[string]any{}
		for name, list := range map[string][]map[string]any{"reasons": d.Reasons, "advice": d.Advice} {
			if len(list) > 0 {
				c.JSON[name] = whole(list)
			}
		}
		if len(d.Reasons) > 0 {
			c.JSON["detail"] = d.Reasons[0]["message"]
		}
	case c.Status == 200 && confirms:
		c.Status, c.Code = 403, "confirmation_required"
	}
	return c
}

// whole returns reasons or advice as they are decoded from JSON.
func whole(list []map[string]any) (decoded any) {
	text, err := json.Marshal(list)
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil { // impossible: the list is from YAML, and part of an answer in JSON
		panic(err)
	}
	return decoded
}
