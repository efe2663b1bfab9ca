package proof

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reasonToWrite stands where whoever approves a change says why.
const reasonToWrite = "Say here who wants this, and why."

// ToApprove returns the changes that are not approved as approvals, whose reasons are still to be written.
func (d *Differences) ToApprove() (all []Approval) {
	for _, c := range d.Changes {
		if c.Kind == Granted && c.Approved == "" {
			all = append(all, Approval{c.ID, c.Sentence, reasonToWrite})
		}
	}
	return all
}

// EncodeApprovals returns approvals in YAML, to be added at the end of an approved.yaml that has data. Where that would be no valid file,
// it returns the whole of a new one, with the approvals that the old one has for other changes.
func EncodeApprovals(data []byte, added []Approval) (text string, whole bool, err error) {
	known, err := DecodeApprovals(data)
	if err != nil {
		return "", false, err
	}
	others := slices.DeleteFunc(slices.Clone(known), func(k Approval) bool {
		return slices.ContainsFunc(added, func(a Approval) bool { return a.ID == k.ID })
	})
	var b strings.Builder
	indent, isList := indentation(data)
	if whole = !isList || len(others) < len(known); whole {
		b.WriteString("approved:\n")
		indent, added = "  ", append(others, added...)
	}
	for _, a := range added {
		fmt.Fprintf(&b, "%s- id: %s\n%s  change: %s\n%s  reason: %s\n", indent, a.ID, indent, strconv.Quote(a.Change), indent, strconv.Quote(a.Reason))
	}
	return b.String(), whole, nil
}

// indentation returns how far the entries of an approved.yaml are indented, and whether each has lines of its own.
func indentation(data []byte) (indent string, isList bool) {
	var file struct {
		Approved yaml.Node `yaml:"approved"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil || len(file.Approved.Content) == 0 || file.Approved.Style&yaml.FlowStyle != 0 {
		return "", false
	}
	return strings.Repeat(" ", file.Approved.Column-1), true
}
