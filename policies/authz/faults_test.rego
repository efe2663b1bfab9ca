package authz_test

# The tables are checked when a policy is loaded; a fault names the cell.

test_tables_as_they_are_have_no_faults if count(data.authz.faults) == 0

test_fault_in_a_matrix_is_named[note] if {
	some note, c in {
		"no such cell": {
			"patch": {"op": "replace", "path": "REG-5/division", "value": "maybe"},
			"told": "regional matrix, REG-5, column division: maybe is none of",
		},
		"a bare yes": {
			"patch": {"op": "replace", "path": "REG-6/region", "value": true},
			"told": "regional matrix, REG-6, column region: true is none of",
		},
		"no cell": {
			"patch": {"op": "remove", "path": "REG-8/division"},
			"told": "regional matrix, REG-8, column division: there is no cell",
		},
		"no such task": {
			"patch": {"op": "add", "path": "REG-99", "value": {}},
			"told": "regional matrix, REG-99: there is no such task",
		},
		"no such column": {
			"patch": {"op": "add", "path": "REG-5/district", "value": "yes"},
			"told": "regional matrix, REG-5: there is no column district",
		},
	}
	changed := json.patch(data.authz.regional.matrix, [c.patch])
	faults := data.authz.faults with data.authz.regional.matrix as changed
	_only(faults, c.told)
}

_only(faults, told) if {
	count(faults) == 1
	some fault in faults
	startswith(fault, told)
}

_roles_of(model) := data.authz[model].roles

test_fault_in_the_roles_is_named[note] if {
	some note, c in {
		"no such kind": {
			"patch": {"op": "replace", "path": "ed_admin/offered_at", "value": ["ward"]},
			"told": {"regional roles, ed_admin, offered_at: ward is no kind of location in this model"},
		},
		"offered nowhere": {
			"patch": {"op": "replace", "path": "ed_admin/offered_at", "value": []},
			"told": {"regional roles, ed_admin: offered_at lists no kind of location"},
		},
		"a switch that is a text": {
			"patch": {"op": "replace", "path": "ed_admin/sees_patients", "value": "yes"},
			"told": {"regional roles, ed_admin, sees_patients: yes is neither true nor false"},
		},
		"a switch that is missing": {
			"patch": {"op": "remove", "path": "ed_admin/sees_patients"},
			"told": {"regional roles, ed_admin, sees_patients: nothing is neither true nor false"},
		},
		"no such column": {
			"patch": {"op": "replace", "path": "ed_admin/columns/here", "value": "ward"},
			"told": {"regional roles, ed_admin, columns, here: ward is no column"},
		},
		"a misspelt member": {
			"patch": {"op": "add", "path": "ed_admin/colums", "value": {"here": "region"}},
			"told": {"regional roles, ed_admin: there is no member colums"},
		},
		"a column that the role does not reach": {
			"patch": {"op": "add", "path": "ed_admin/columns/beneath", "value": "division"},
			"told": {"regional roles, ed_admin: a column beneath needs reaches_down"},
		},
	}
	changed := json.patch(_roles_of("regional"), [c.patch])
	faults := data.authz.faults with data.authz.regional.roles as changed
	faults == c.told
}

test_fault_in_the_actions_is_named[note] if {
	some note, c in {
		"no such type": {
			"patch": {"op": "replace", "path": "access.change/resource", "value": "thing"},
			"told": {"practice_group actions, access.change, resource: thing is none of location; patient; user"},
		},
		"another type than elsewhere": {
			"patch": {"op": "replace", "path": "user.edit/resource", "value": "location"},
			"told": {
				"practice_group actions, user.edit, resource: another model says user",
				"health_system actions, user.edit, resource: another model says location",
				"regional actions, user.edit, resource: another model says location",
			},
		},
		"allow_self left out": {
			"patch": {"op": "remove", "path": "user.edit/allow_self"},
			"told": {"practice_group actions, user.edit, allow_self: say true or false"},
		},
		"read_only, as a text": {
			"patch": {"op": "replace", "path": "area.access/read_only", "value": "yes"},
			"told": {"practice_group actions, area.access, read_only: yes is neither true nor false"},
		},
		"read_only, as nothing": {
			"patch": {"op": "replace", "path": "area.access/read_only", "value": null},
			"told": {"practice_group actions, area.access, read_only: null is neither true nor false"},
		},
		"read-only here and changing elsewhere": {
			"patch": {"op": "remove", "path": "location.switch/read_only"},
			"told": {
				"practice_group actions, location.switch, read_only: another model says true",
				"health_system actions, location.switch, read_only: another model says false",
				"regional actions, location.switch, read_only: another model says false",
			},
		},
		"changing here and read-only elsewhere": {
			"patch": {"op": "add", "path": "assignment.add/read_only", "value": true},
			"told": {
				"practice_group actions, assignment.add, read_only: another model says false",
				"regional actions, assignment.add, read_only: another model says true",
			},
		},
		"a misspelt member": {
			"patch": {"op": "add", "path": "user.edit/read_onyl", "value": true},
			"told": {"practice_group actions, user.edit: there is no member read_onyl"},
		},
		"needing no current location, as a text": {
			"patch": {"op": "add", "path": "access.change/needs_no_current_location", "value": "yes"},
			"told": {"practice_group actions, access.change, needs_no_current_location: yes is neither true nor false"},
		},
		"crossing organizations, as a text": {
			"patch": {"op": "add", "path": "access.change/crosses_organizations", "value": "yes"},
			"told": {"practice_group actions, access.change, crosses_organizations: yes is neither true nor false"},
		},
		"no such model": {
			"patch": {"op": "add", "path": "access.change/model", "value": "clinic"},
			"told": {"practice_group actions, access.change, model: there is no model clinic"},
		},
		"needing a current location here and none elsewhere": {
			"patch": {"op": "remove", "path": "location.switch/needs_no_current_location"},
			"told": {
				"practice_group actions, location.switch, needs_no_current_location: another model says true",
				"health_system actions, location.switch, needs_no_current_location: another model says nothing",
				"regional actions, location.switch, needs_no_current_location: another model says nothing",
			},
		},
		"no such form": {
			"patch": {"op": "replace", "path": "access.change/properties/level", "value": "number"},
			"told": {
				concat(" is none of ", [
					"practice_group actions, access.change, properties, level: number",
					"flag?; switches?; text; text?; texts; texts?",
				]),
			},
		},
		"no rules": {
			"patch": {"op": "remove", "path": "user.edit/rules"},
			"told": {"practice_group actions, user.edit: say which rules judge it, or rules: [] for none"},
		},
		"a rule without a code": {
			"patch": {"op": "add", "path": "user.edit/rules/PRA-1", "value": ["ALL-10"]},
			"told": {"practice_group actions, user.edit, rules: ALL-10 is no RULE/code with a sentence"},
		},
		"a code that there is not": {
			"patch": {"op": "add", "path": "user.edit/rules/PRA-1", "value": ["ALL-10/user_gone"]},
			"told": {"practice_group actions, user.edit, rules: ALL-10/user_gone is no RULE/code with a sentence"},
		},
	}
	changed := json.patch(data.authz.practice_group.actions, [c.patch])
	faults := data.authz.faults with data.authz.practice_group.actions as changed
	faults == c.told
}

test_fault_in_the_levels_is_named[note] if {
	some note, c in {
		"a text": {
			"patch": {"op": "replace", "path": "full/invoices", "value": "yes"},
			"told": {"practice_group levels, full, area invoices: yes is neither true nor false"},
		},
		"no cell": {
			"patch": {"op": "remove", "path": "full/invoices"},
			"told": {"practice_group levels, full, area invoices: there is no cell"},
		},
	}
	changed := json.patch(data.authz.practice_group.levels, [c.patch])
	faults := data.authz.faults with data.authz.practice_group.levels as changed
	faults == c.told
}

test_fault_in_the_default_level_is_named if {
	faults := data.authz.faults with data.authz.practice_group.default_level as "royal"
	"practice_group default_level: royal is no level" in faults
	without := {level: object.remove(areas, ["users"]) | some level, areas in data.authz.practice_group.levels}
	lacking := data.authz.faults with data.authz.practice_group.levels as without
	lacking == {"practice_group levels: there is no area users, which administering users needs"}
}

test_fault_in_the_other_tables_is_named if {
	roles := json.patch(_roles_of("practice_group"), [{"op": "replace", "path": "owner/registration", "value": "maybe"}])
	registration := data.authz.faults with data.authz.practice_group.roles as roles
	registration == {"practice_group roles, owner, registration: maybe is none of optional; refused; required"}
	ranks := json.patch(_roles_of("health_system"), [{"op": "remove", "path": "user/rank"}])
	rank := data.authz.faults with data.authz.health_system.roles as ranks
	rank == {"health_system roles, user, rank: nothing is no number"}
	plans := data.authz.faults with data.authz.health_system.plans as {"paid": {"system_features": "yes"}}
	plans == {
		"health_system plans, paid, system_features: yes is neither true nor false",
		"health_system plans: there is no plan free",
	}
	more := object.union(data.authz.health_system.plans, {"gold": {"system_features": true}})
	further := data.authz.faults with data.authz.health_system.plans as more
	further == {"health_system plans, gold: an organization has plan free or paid"}
	suppressing := data.authz.faults with data.authz.regional.suppresses as {"ALL-8/not_assigned": ["REG-I1/assigned"], "ALL-8": []}
	suppressing == {
		"regional suppresses, ALL-8/not_assigned: REG-I1/assigned is no RULE/code with a sentence",
		"regional suppresses, ALL-8: ALL-8 is no RULE/code with a sentence",
	}
	remedies := data.authz.faults with data.authz.practice_group.remedies as {"PRA-7": "deactivate_instead"}
	remedies == {"practice_group remedies: PRA-7 is no RULE/code with a sentence"}
	messages := data.authz.faults with data.authz.messages.reasons.self as ["no sentence"]
	messages == {"messages, reasons, self: there is no sentence"}
}
