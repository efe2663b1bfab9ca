package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/attack"
)

// attacked is a system whose administrator can be invited to an entity, by whoever administers that.
const attacked = `
locations:
  - {id: sisters, kind: system, model: health_system, plan: paid}
  - {id: mercy, kind: entity, parent: sisters}
users:
  - {id: helen, username: helen@example.org, last_login: "2026-03-02T08:00:00Z", assignments: [{location: sisters, role: system_admin}]}
  - {id: "o'marta", assignments: [{location: mercy, role: entity_admin}]}
`

// Each step is printed as a command that asks it again, over the directory that the steps before have made.
func TestAttackPrintsStepsThatCanBeAsked(t *testing.T) {
	t.Parallel()
	file, dir := writeFile(t, "directory.yaml", attacked), filepath.Join(t.TempDir(), "attack")
	got := run(t, nil, "attack", "--directory", file, "--depth", "2", "--from", "entity_admin", "--output", dir)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "FOUND  power in sisters by 2 changes, from o'marta (entity_admin at mercy)\n  1. o'marta: user.invite on helen at mercy, role: entity_admin (SYS-2)\n     wardkeeper ask ")
	require.Contains(t, got.out, "\n  2. o'marta: user.reset_password on helen, standing at mercy; the account is now under the attacker's control (SYS-1)\n")
	require.Contains(t, got.out, "\n  so o'marta controls an account, helen, that is system_admin at sisters and may now ")
	require.Contains(t, got.out, "\nNONE   nothing up to 2 changes leads to nobody left in charge in sisters, from entity_admin\n")
	require.Contains(t, got.out, "control: user.reset_password, user.invite\n")
	steps := 0
	for line := range strings.Lines(got.out) {
		command, isCommand := strings.CutPrefix(strings.TrimSpace(line), "wardkeeper ")
		if !isCommand {
			continue
		}
		steps++
		words := strings.Fields(strings.NewReplacer(`'\''`, `'`, `'`, "").Replace(command))
		require.Equal(t, statusOK, run(t, nil, words...).status, command)
		if steps == 2 { // without the first step it is denied
			words[len(words)-1] = file
			require.Equal(t, statusNo, run(t, nil, words...).status)
		}
	}
	require.Equal(t, 2, steps)
	changed := readFile(t, filepath.Join(dir, "path-1-step-2.json"))
	require.Contains(t, changed, `"last_login":"2026-03-02T08:00:00Z"`)

	require.NotContains(t, got.out, "DIR")
	got = run(t, nil, "attack", "--directory", file, "--depth", "2", "--from", "entity_admin")
	require.Contains(t, got.out, " --directory DIR/path-1-step-2.json\n")
	require.Contains(t, got.out, "\nDIR, in the commands, is the folder that --output DIR writes: ")

	got = run(t, nil, "attack", "--directory", file, "--depth", "2", "--output", dir)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "has files already")
}

func TestAttackSaysHowMuchItLookedAt(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "directory.yaml", attacked)
	got := run(t, nil, "attack", "--directory", file, "--depth", "2", "--control", "none", "--goal", "power", "--json")
	require.Equal(t, statusOK, got.status, got)
	var report attack.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Len(t, report.Findings, 2)
	for _, f := range report.Findings {
		require.Equal(t, attack.None, f.Outcome)
	}
	got = run(t, nil, "attack", "--directory", file, "--depth", "3", "--goal", "strand", "--max-states", "2")
	require.Equal(t, statusOpen, got.status, got)
	require.Contains(t, got.out, "OPEN   a stranded user in sisters, from ")
	require.Contains(t, got.out, "not everything up to 3 changes was looked at")
}

func TestAttackRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "directory.yaml", attacked)
	for says, args := range map[string][]string{
		"--directory is missing":                       {},
		"--depth is 9: use 1 to 8":                     {"--directory", file, "--depth", "9"},
		`--goal is "fame": use power, strand`:          {"--directory", file, "--goal", "fame"},
		`--control is "none": use user.reset_password`: {"--directory", file, "--control", "none,user.edit"},
		"--max-states is 0":                            {"--directory", file, "--max-states", "0"},
		"the policy has no role king":                  {"--directory", file, "--reach", "king"},
		"the directory has no organization mercy":      {"--directory", file, "--organization", "mercy"},
		"no active account holds owner in sisters: the roles held are entity_admin, system_admin\n":            {"--directory", file, "--organization", "sisters", "--from", "owner"},
		"no active account holds user: the roles held are ":                                                    {"--directory", file, "--from", "user"},
		"no location in sisters offers regional_admin: the roles offered are entity_admin, system_admin, user": {"--directory", file, "--organization", "sisters", "--reach", "regional_admin"},
		"no active account holds a role: there is no attacker":                                                 {"--directory", writeFile(t, "nobody.yaml", strings.Split(attacked, "users:")[0]+"users: []\n")},
		"--goal names none":               {"--directory", file, "--goal", ""},
		"--reach is about the goal power": {"--directory", file, "--reach", "user", "--goal", "strand"},
	} {
		got := run(t, nil, append([]string{"attack"}, args...)...)
		require.Equal(t, statusFailed, got.status, args)
		require.Contains(t, got.err, says)
	}
}
