package authz_test

# The tables are checked when a policy is loaded; a fault names the cell.

test_tables_as_they_are_have_no_faults if count(data.authz.faults) == 0

test_fault_in_a_matrix_is_named[note] if {
	some note, c in {
		"no such word": {
			"patch": {"op": "replace", "path": "assignment.add/division", "value": "maybe"},
			"told": "regional matrix, assignment.add, division: got maybe, expected no or {place, user}",
		},
		"a bare yes": {
			"patch": {"op": "replace", "path": "assignment.edit/region", "value": true},
			"told": "regional matrix, assignment.edit, region: got true, expected no or {edit, place, user}",
		},
		"no such place": {
			"patch": {"op": "replace", "path": "user.list/division/place", "value": "anywhere"},
			"told": "regional matrix, user.list, division, place: got anywhere, expected one of any; covered; here",
		},
		"no such user": {
			"patch": {"op": "replace", "path": "user.view/division/user", "value": "here"},
			"told": "regional matrix, user.view, division, user: got here, expected one of any; covered",
		},
		"no such edit": {
			"patch": {"op": "replace", "path": "assignment.edit/division/edit", "value": "location"},
			"told": "regional matrix, assignment.edit, division, edit: got location, expected one of both; role",
		},
		"no such warning": {
			"patch": {"op": "replace", "path": "user.view_locations/division/warn", "value": "no"},
			"told": "regional matrix, user.view_locations, division, warn: got no, expected one of false; true",
		},
		"a member left out": {
			"patch": {"op": "remove", "path": "assignment.edit/division/edit"},
			"told": "regional matrix, assignment.edit, division, edit: got nothing, expected one of both; role",
		},
		"a member that the row does not have": {
			"patch": {"op": "add", "path": "user.view/division/warn", "value": true},
			"told": "regional matrix, user.view, division: there is no member warn",
		},
		"no cell": {
			"patch": {"op": "remove", "path": "default_location.change/division"},
			"told": "regional matrix, default_location.change, division: got nothing, expected no or {place, user}",
		},
		"no rule": {
			"patch": {"op": "remove", "path": "user.view/rule"},
			"told": "regional matrix, user.view, rule: nothing is no id such as REG-1",
		},
		"no such task": {
			"patch": {"op": "add", "path": "user.promote", "value": {"rule": "REG-99"}},
			"told": "regional matrix, user.promote: there is no such task",
		},
	}
	changed := json.patch(data.authz.regional.matrix, [c.patch])
	faults := data.authz.faults with data.authz.regional.matrix as changed
	_only(faults, c.told)
}

test_fault_of_a_row_that_is_missing_is_named if {
	faults := data.authz.faults with data.authz.regional.matrix as object.remove(data.authz.regional.matrix, ["user.view"])
	"regional matrix: there is no row user.view" in faults
}

test_fault_of_a_column_that_one_row_alone_has_is_named if {
	changed := json.patch(data.authz.regional.matrix, [{"op": "add", "path": "assignment.add/district", "value": "no"}])
	faults := data.authz.faults with data.authz.regional.matrix as changed
	_only(faults, "regional matrix, assignment.add, district: there is no such column, only division, region, region")
}

test_fault_of_rows_without_a_column_that_two_have_is_named if {
	cells := [{"op": "add", "path": path, "value": "no"} | some path in {"assignment.add/district", "user.view/district"}]
	faults := data.authz.faults with data.authz.regional.matrix as json.patch(data.authz.regional.matrix, cells)
	count(faults) == count(data.authz.regional.matrix) - 2
	"regional matrix, user.list, district: got nothing, expected no or {place, user}" in faults
}

test_fault_of_a_role_whose_column_one_row_alone_has_is_named if {
	changed := json.patch(data.authz.regional.matrix, [{"op": "add", "path": "assignment.add/district", "value": "no"}])
	patch := {"op": "replace", "path": "ed_admin/columns/facility", "value": "district"}
	roles := json.patch(_roles_of("regional"), [patch])
	faults := data.authz.faults with data.authz.regional.matrix as changed with data.authz.regional.roles as roles
	count(faults) == count(data.authz.regional.matrix) - 1
	"regional matrix, user.list, district: got nothing, expected no or {place, user}" in faults
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
			"patch": {"op": "replace", "path": "ed_normal/offered_at", "value": ["ward"]},
			"told": {"regional roles, ed_normal, offered_at: got [\"ward\"], expected a list of division; facility; region"},
		},
		"offered at what is not said": {
			"patch": {"op": "remove", "path": "ed_normal/offered_at"},
			"told": {"regional roles, ed_normal, offered_at: got nothing, expected a list of division; facility; region"},
		},
		"offered nowhere": {
			"patch": {"op": "replace", "path": "ed_normal/offered_at", "value": []},
			"told": {"regional roles, ed_normal, offered_at: got [], expected a list of division; facility; region"},
		},
		"offered at what is no list": {
			"patch": {"op": "replace", "path": "ed_normal/offered_at", "value": {"at": "facility"}},
			"told": {
				`regional roles, ed_normal, offered_at: got {"at": "facility"}, expected a list of division; facility; region`,
			},
		},
		"a switch that is a text": {
			"patch": {"op": "replace", "path": "ed_admin/sees_patients", "value": "yes"},
			"told": {"regional roles, ed_admin, sees_patients: got yes, expected one of false; true"},
		},
		"a switch that is missing": {
			"patch": {"op": "remove", "path": "ed_admin/sees_patients"},
			"told": {"regional roles, ed_admin, sees_patients: got nothing, expected one of false; true"},
		},
		"no such column": {
			"patch": {"op": "replace", "path": "ed_admin/columns/facility", "value": "ward"},
			"told": {"regional roles, ed_admin, columns, facility: no row of the matrix has the column ward"},
		},
		"a misspelt member": {
			"patch": {"op": "add", "path": "ed_admin/colums", "value": {"facility": "region"}},
			"told": {concat("", [
				"regional roles, ed_admin: there is no member colums, ",
				"only columns, offered_at, reaches_down, sees_patients",
			])},
		},
		"a column that the role does not reach": {
			"patch": {"op": "add", "path": "ed_admin/columns/division", "value": "division"},
			"told": {"regional roles, ed_admin, columns, division: its holder does not reach a location of that kind"},
		},
		"a column above the role": {
			"patch": {"op": "add", "path": "division_admin/columns/region", "value": "region"},
			"told": {"regional roles, division_admin, columns, region: its holder does not reach a location of that kind"},
		},
		"columns at two kinds for a role that does not reach down": {
			"patch": {"op": "replace", "path": "ed_admin", "value": {
				"offered_at": ["division", "facility"], "reaches_down": false, "sees_patients": true,
				"columns": {"facility": "division"},
			}},
			"told": {"regional roles, ed_admin, columns, facility: its holder does not reach a location of that kind"},
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
			"told": {"practice_group actions, access.change, resource: got thing, expected one of location; patient; user"},
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
			"told": {"practice_group actions, user.edit, allow_self: got nothing, expected one of false; true"},
		},
		"read_only, as a text": {
			"patch": {"op": "replace", "path": "area.access/read_only", "value": "yes"},
			"told": {"practice_group actions, area.access, read_only: got yes, expected one of nothing; true"},
		},
		"read_only, as nothing": {
			"patch": {"op": "replace", "path": "area.access/read_only", "value": null},
			"told": {"practice_group actions, area.access, read_only: got null, expected one of nothing; true"},
		},
		"read-only here and changing elsewhere": {
			"patch": {"op": "remove", "path": "location.switch/read_only"},
			"told": {
				"practice_group actions, location.switch, read_only: another model says true",
				"health_system actions, location.switch, read_only: another model says nothing",
				"regional actions, location.switch, read_only: another model says nothing",
			},
		},
		"changing here and read-only elsewhere": {
			"patch": {"op": "add", "path": "assignment.add/read_only", "value": true},
			"told": {
				"practice_group actions, assignment.add, read_only: another model says nothing",
				"regional actions, assignment.add, read_only: another model says true",
			},
		},
		"a misspelt member": {
			"patch": {"op": "add", "path": "user.edit/read_onyl", "value": true},
			"told": {concat("", [
				"practice_group actions, user.edit: there is no member read_onyl, only allow_self, crosses_organizations, ",
				"model, needs_no_current_location, properties, read_only, required_rules, resource, rules",
			])},
		},
		"needing no current location, as a text": {
			"patch": {"op": "add", "path": "access.change/needs_no_current_location", "value": "yes"},
			"told": {"practice_group actions, access.change, needs_no_current_location: got yes, expected one of nothing; true"},
		},
		"crossing organizations, as a text": {
			"patch": {"op": "add", "path": "access.change/crosses_organizations", "value": "yes"},
			"told": {"practice_group actions, access.change, crosses_organizations: got yes, expected one of nothing; true"},
		},
		"no such model": {
			"patch": {"op": "add", "path": "access.change/model", "value": "clinic"},
			"told": {concat(", expected one of ", [
				"practice_group actions, access.change, model: got clinic",
				"health_system; nothing; practice_group; regional; vendor",
			])},
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
				concat(", expected one of ", [
					"practice_group actions, access.change, properties, level: got number",
					"flag?; switches?; text; text?; texts; texts?",
				]),
			},
		},
		"no rules": {
			"patch": {"op": "remove", "path": "user.edit/rules"},
			"told": {"practice_group actions, user.edit, rules: say which rules judge it, [] for none, for each row"},
		},
		"rules of no row": {
			"patch": {"op": "replace", "path": "user.edit/rules", "value": ["active_account"]},
			"told": {"practice_group actions, user.edit, rules: say which rules judge it, [] for none, for each row"},
		},
		"no rules, and no row": {
			"patch": {"op": "replace", "path": "user.edit/rules", "value": []},
			"told": {"practice_group actions, user.edit, rules: say which rules judge it, [] for none, for each row"},
		},
		"a rule that there is not": {
			"patch": {"op": "add", "path": "user.edit/rules/PRA-1", "value": ["account_active"]},
			"told": {"practice_group actions, user.edit, rules: there is no rule account_active"},
		},
		"required rules without a property": {
			"patch": {"op": "add", "path": "user.edit/required_rules", "value": {"PRA-1": []}},
			"told": {"practice_group actions, user.edit, required_rules: an action without properties has none"},
		},
		"a rule that judges nothing": {
			"patch": {"op": "replace", "path": "user.reactivate/rules/PRA-8", "value": []},
			"told": {"practice_group rules, deactivated_account: no action names it"},
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
			"told": {"practice_group levels, full, invoices: got yes, expected one of false; true"},
		},
		"no cell": {
			"patch": {"op": "remove", "path": "full/invoices"},
			"told": {"practice_group levels, full, invoices: got nothing, expected one of false; true"},
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
	registration == {"practice_group roles, owner, registration: got maybe, expected one of optional; refused; required"}
	ranks := json.patch(_roles_of("health_system"), [{"op": "remove", "path": "user/rank"}])
	rank := data.authz.faults with data.authz.health_system.roles as ranks
	rank == {"health_system roles, user, rank: nothing is no number"}
	plans := data.authz.faults with data.authz.health_system.plans as {"paid": {"system_features": "yes"}}
	plans == {
		"health_system plans, paid, system_features: got yes, expected one of false; true",
		"health_system plans: paid are not free and paid",
	}
	more := object.union(data.authz.health_system.plans, {"gold": {"system_features": true}})
	further := data.authz.faults with data.authz.health_system.plans as more
	further == {"health_system plans: free, gold, paid are not free and paid"}
	messages := data.authz.faults with data.authz.messages.reasons.self as ["no sentence"]
	messages == {"messages, reasons, self: there is no sentence"}
}

test_fault_in_the_rules_is_named[note] if {
	some note, c in {
		"no such code": {
			"patch": {"op": "replace", "path": "assigned/code", "value": "unassigned"},
			"told": "regional rules, assigned, code: got unassigned, expected one of already_assigned; ",
		},
		"no code": {
			"patch": {"op": "remove", "path": "assigned/code"},
			"told": "regional rules, assigned, code: got nothing, expected one of already_assigned; ",
		},
		"no such advice": {
			"patch": {"op": "add", "path": "assigned/advice", "value": "ask"},
			"told": "regional rules, assigned, advice: got ask, expected one of access_ended; ",
		},
		"no id": {
			"patch": {"op": "replace", "path": "assigned/rule", "value": "REG"},
			"told": "regional rules, assigned, rule: REG is no id such as REG-I1",
		},
		"suppressing what there is not": {
			"patch": {"op": "add", "path": "assigned/suppresses", "value": ["role_offerred"]},
			"told": "regional rules, assigned, suppresses: there is no rule role_offerred",
		},
		"a misspelt member": {
			"patch": {"op": "add", "path": "assigned/supresses", "value": []},
			"told": "regional rules, assigned: there is no member supresses",
		},
	}
	changed := json.patch(data.authz.regional.rules, [c.patch])
	faults := data.authz.faults with data.authz.regional.rules as changed
	_only(faults, c.told)
}

test_fault_of_a_member_that_another_model_has_otherwise_is_named[member] if {
	some member in ["resource", "read_only", "needs_no_current_location", "crosses_organizations", "model"]
	patch := {"op": "add", "path": ["user.view", member], "value": "other"}
	actions := json.patch(data.authz.health_system.actions, [patch])
	faults := data.authz.faults with data.authz.health_system.actions as actions
	sprintf("regional actions, user.view, %s: another model says other", [member]) in faults
}

test_fault_of_rules_that_are_left_out_is_named[model] if {
	some model, c in {
		"regional": {"patch": {"op": "remove", "path": "user.view/rules"}, "told": "[] for none"},
		"health_system": {"patch": {"op": "remove", "path": "admin.grant/rules"}, "told": "[] for none, for each row"},
		"practice_group": {
			"patch": {"op": "replace", "path": "user.invite/rules", "value": {"PRA-3": "assigned"}},
			"told": "[] for none, for each row",
		},
	}
	[name, _] := split(c.patch.path, "/")
	faults := _faults_of_actions(model, c.patch)
	sprintf("%s actions, %s, rules: say which rules judge it, %s", [model, name, c.told]) in faults
}

_faults_of_actions("regional", patch) := faults if {
	actions := json.patch(data.authz.regional.actions, [patch])
	faults := data.authz.faults with data.authz.regional.actions as actions
}

_faults_of_actions("health_system", patch) := faults if {
	actions := json.patch(data.authz.health_system.actions, [patch])
	faults := data.authz.faults with data.authz.health_system.actions as actions
}

_faults_of_actions("practice_group", patch) := faults if {
	actions := json.patch(data.authz.practice_group.actions, [patch])
	faults := data.authz.faults with data.authz.practice_group.actions as actions
}
