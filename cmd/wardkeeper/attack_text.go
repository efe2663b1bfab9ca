package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/attack"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// attackers are those of an organization who hold the same roles, wherever, and what was found for a goal.
type attackers struct {
	shortest *attack.Finding
	number   int // of the one shown among those that were found, from 1
	outcomes map[string]int
}

// grouped groups findings by goal, organization and roles, those that were found first, the shortest path first, and of these the one that gains most.
func grouped(report *attack.Report) []*attackers {
	var groups []*attackers
	at := map[string]*attackers{}
	number := 0
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Outcome == attack.Found {
			number++
		}
		key := f.Goal + "\n" + f.Organization + "\n" + rolesOfAttacker(f)
		g := at[key]
		if g == nil {
			g = &attackers{shortest: f, number: number, outcomes: map[string]int{}}
			at[key], groups = g, append(groups, g)
		}
		g.outcomes[f.Outcome]++
		if f.Outcome == attack.Found && (g.shortest.Outcome != attack.Found || cmp.Or(cmp.Compare(len(f.Path), len(g.shortest.Path)), cmp.Compare(g.shortest.Gain, f.Gain)) < 0) {
			g.shortest, g.number = f, number
		}
	}
	slices.SortStableFunc(groups, func(a, b *attackers) int {
		return cmp.Or(cmp.Compare(length(a), length(b)), cmp.Compare(slices.Index(attack.Goals, a.shortest.Goal), slices.Index(attack.Goals, b.shortest.Goal)))
	})
	return groups
}

// length is that of the path; what was not found comes last.
func length(g *attackers) int {
	if g.shortest.Outcome != attack.Found {
		return attack.MaxDepth + 1
	}
	return len(g.shortest.Path)
}

// rolesOfAttacker names roles without their locations.
func rolesOfAttacker(f *attack.Finding) string {
	var roles []string
	for _, r := range f.Roles {
		role, _, _ := strings.Cut(r, " at ")
		roles = append(roles, role)
	}
	slices.Sort(roles)
	return strings.Join(slices.Compact(roles), " and ")
}

// reachedWords says what has come about where a goal is reached.
var reachedWords = map[string]string{attack.Power: "power", attack.Strand: "a stranded user", attack.LastAdministrator: "nobody left in charge"}

func (a *attackFlags) lines(report *attackReport) []string {
	var lines []string
	none, open := map[string][]string{}, map[string][]string{}
	for _, g := range grouped(report.Report) {
		f := g.shortest
		where := reachedWords[f.Goal] + " in " + terminal.Printable(f.Organization)
		switch {
		case f.Outcome == attack.Found:
			lines = append(lines, a.path(g, where)...)
		case g.outcomes[attack.Open] > 0:
			open[where] = append(open[where], rolesOfAttacker(f))
		default:
			none[where] = append(none[where], rolesOfAttacker(f))
		}
	}
	for _, where := range slices.Sorted(maps.Keys(none)) {
		lines = append(lines, fmt.Sprintf("NONE   nothing up to %s leads to %s, from %s", terminal.Count(report.Depth, "change"), where, strings.Join(none[where], "; ")))
	}
	for _, where := range slices.Sorted(maps.Keys(open)) {
		lines = append(lines, fmt.Sprintf("OPEN   %s, from %s: none found, but not everything up to %s was looked at, because there are too many states (--max-states is %d) or records",
			where, strings.Join(open[where], "; "), terminal.Count(report.Depth, "change"), a.MaxStates))
	}
	lines = append(lines, fmt.Sprintf("%s looked at by %s; control: %s", terminal.Count(report.States, "state"), terminal.Count(report.Decisions, "decision"),
		cmp.Or(strings.Join(report.Control, ", "), "none")), "directory: "+report.Directory.String())
	if a.output == "" && slices.ContainsFunc(report.Findings, func(f attack.Finding) bool { return len(f.Path) > 1 || len(f.Path) == 1 && !a.isFile() }) {
		lines = append(lines, "DIR, in the commands, is the folder that --output DIR writes: the directory as the steps before have changed it")
	}
	for _, left := range report.LeftOut {
		lines = append(lines, "  left out: "+terminal.Printable(left))
	}
	return lines
}

// path shows one path.
func (a *attackFlags) path(g *attackers, where string) []string {
	f := g.shortest
	head := fmt.Sprintf("FOUND  %s by %s, from %s", where, terminal.Count(len(f.Path), "change"), terminal.Printable(f.Attacker+" ("+strings.Join(f.Roles, ", ")+")"))
	if others := g.outcomes[attack.Found] - 1; others > 0 {
		head += fmt.Sprintf("; also from %s of the same roles", terminal.Count(others, "account"))
	}
	lines := []string{head}
	for i, step := range f.Path {
		line := fmt.Sprintf("  %d. %s", i+1, step.Says)
		if step.Rule != "" {
			line += " (" + step.Rule + ")"
		}
		directory := a.directory
		if i > 0 || !a.isFile() {
			directory = a.fileOf(g.number, i+1)
		}
		lines = append(lines, terminal.Printable(line), "     "+terminal.Printable(proof.AskCommand(step.Question, directory, a.bundle)))
	}
	return append(lines, "  so "+terminal.Printable(f.Result), "")
}

// fileOf returns the file of the directory before a step of a path.
func (a *attackFlags) fileOf(path, step int) string {
	return filepath.Join(cmp.Or(a.output, "DIR"), fmt.Sprintf("path-%d-step-%d.json", path, step))
}

// write writes the directory before each step of a path; that before the first is there if it is a file.
func (a *attackFlags) write(report *attack.Report) error {
	if err := os.MkdirAll(a.output, 0o700); err != nil {
		return err
	}
	number := 0
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Outcome != attack.Found {
			continue
		}
		number++
		changed := map[string]facts.UserRecord{}
		if !a.isFile() {
			if err := os.WriteFile(a.fileOf(number, 1), a.encode(changed), 0o600); err != nil {
				return err
			}
		}
		for n, step := range f.Path[:len(f.Path)-1] {
			changed[step.After.ID] = step.After
			if err := os.WriteFile(a.fileOf(number, n+2), a.encode(changed), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode returns the directory with some records changed, or added.
func (a *attackFlags) encode(changed map[string]facts.UserRecord) []byte {
	var locations []record.Location
	for _, l := range a.Config.Directory.AllLocations() {
		locations = append(locations, record.Location{LocationRecord: l.Record()})
	}
	b := append([]byte(`{"locations": `), record.EncodeLocations(nil, locations)...)
	b = append(b, ",\n\"users\": ["...)
	separator := "\n"
	add := func(rec facts.UserRecord) {
		b = record.EncodeUser(append(b, separator...), &record.User{UserRecord: rec})
		separator = ",\n"
	}
	for _, u := range a.Config.Directory.AllUsers() {
		if _, isChanged := changed[u.ID()]; !isChanged {
			add(u.Record())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		add(changed[id])
	}
	return append(b, "\n]}\n"...)
}
