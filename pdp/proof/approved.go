package proof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Approval says that a change is wanted.
type Approval struct {
	ID     string `yaml:"id"`     // of the difference
	Change string `yaml:"change"` // its sentence, for whoever reads the file
	Reason string `yaml:"reason"`
}

// The limits of a file of approvals.
const (
	MaxApprovedSize = 1 << 20 // bytes
	maxApprovals    = 1000
)

var differenceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// DecodeApprovals reads an approved.yaml. It is strict: an approval without a part, a member it does not know, and an id that comes
// twice are errors.
func DecodeApprovals(data []byte) ([]Approval, error) {
	if len(data) > MaxApprovedSize {
		return nil, fmt.Errorf("more than %d bytes", MaxApprovedSize)
	}
	var file struct {
		Approved []Approval `yaml:"approved"`
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&document)
	if err == nil {
		if err = unknownInApproved(&document); err == nil {
			err = document.Decode(&file)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one document")
	}
	if len(file.Approved) > maxApprovals {
		return nil, fmt.Errorf("expected up to %d approvals, got %d", maxApprovals, len(file.Approved))
	}
	known := map[string]bool{}
	for i, a := range file.Approved {
		switch {
		case !differenceID.MatchString(a.ID):
			return nil, fmt.Errorf("approval %d: id: expected the 32 hexadecimal digits that wardkeeper diff shows, got %q", i+1, a.ID)
		case strings.TrimSpace(a.Change) == "" || strings.TrimSpace(a.Reason) == "":
			return nil, fmt.Errorf("approval %d: give id, change and reason", i+1)
		case known[a.ID]:
			return nil, fmt.Errorf("approval %d: the id %s comes twice", i+1, a.ID)
		}
		known[a.ID] = true
	}
	return file.Approved, nil
}

// unknownInApproved returns the faults of members that an approved.yaml does not have.
func unknownInApproved(document *yaml.Node) error {
	if len(document.Content) == 0 {
		return nil
	}
	faults := unknownMembers(document.Content[0], "approved")
	list := memberOf(document.Content[0], "approved")
	if list == nil || list.Tag == "!!null" {
		return errors.Join(faults...)
	}
	if list.Kind != yaml.SequenceNode {
		faults = append(faults, fmt.Errorf("line %d: approved: expected a list", list.Line))
	}
	for _, a := range list.Content {
		members := []string{"id", "change", "reason"}
		faults = append(faults, unknownMembers(a, members...)...)
		for _, name := range members {
			if v := memberOf(a, name); v != nil && v.Kind != yaml.ScalarNode {
				faults = append(faults, fmt.Errorf("line %d: %s: expected a text", v.Line, name))
			}
		}
	}
	return errors.Join(faults...)
}

// Approve notes the approvals at the changes. It returns a sentence about each that does not count: it is about no change, which was made
// otherwise or not at all, its reason is not written yet, or it says another sentence than the change has, which whoever approved it may not
// have meant.
func (d *Differences) Approve(all []Approval) (ignored []string) {
	for _, a := range all {
		i := slices.IndexFunc(d.Changes, func(c Difference) bool { return c.ID == a.ID })
		switch {
		case i < 0:
			ignored = append(ignored, fmt.Sprintf("the approval of %s is about no change here: %s", a.ID, strings.TrimSpace(a.Change)))
		case strings.TrimSpace(a.Reason) == reasonToWrite:
			ignored = append(ignored, fmt.Sprintf("the approval of %s does not count: its reason is still to be written, in place of %q", a.ID, reasonToWrite))
		case strings.TrimSpace(a.Change) != d.Changes[i].Sentence:
			ignored = append(ignored, fmt.Sprintf("the approval of %s does not count: it says %q, and the change is %q", a.ID, strings.TrimSpace(a.Change), d.Changes[i].Sentence))
		default:
			d.Changes[i].Approved = strings.TrimSpace(a.Reason)
		}
	}
	return ignored
}

// Unapproved returns how many changes allow what was denied without being approved.
func (d *Differences) Unapproved() (n int) {
	for _, c := range d.Changes {
		if c.Kind == Granted && c.Approved == "" {
			n++
		}
	}
	return n
}

// Grants reports whether some change allows an action that was denied.
func (d *Differences) Grants(action string) bool {
	return slices.ContainsFunc(d.Changes, func(c Difference) bool { return c.Kind == Granted && c.Action == action })
}
