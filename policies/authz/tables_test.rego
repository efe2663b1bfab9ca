package authz_test

# The catalogue and the vocabulary are stated a second time here, on purpose: a change of a table has to be confirmed by
# a change of the list. A test that fails prints what it expected, what the tables say, and what to edit.

# METADATA
# title: The tables say what this file expects; otherwise the difference is printed
_agree(expected, actual, _) if expected == actual

_agree(expected, actual, what) if {
	expected != actual
	print(sprintf("%s\n  expected %v\n  actual   %v", [what, expected, actual]))
	print("  Edit the data.yaml of the model if the table is wrong, and the list in the test if the table is right.")
	false
}

test_catalogue_has_the_actions_of_the_specification if {
	expected := {
		"user.list", "user.view", "user.view_locations", "user.edit", "user.reset_password", "user.invite",
		"user.deactivate", "user.reactivate", "user.delete",
		"assignment.add", "assignment.edit", "assignment.remove", "default_location.change",
		"admin.grant", "admin.revoke", "access.change", "area.access", "invitation.accept", "invitation.reject",
		"location.switch", "patient.view", "incident.view", "summary.view",
		"entity.create", "entity.associate", "entity.dissociate",
	}
	_agree(expected, {action | some action, _ in data.authz.catalogue}, "the actions of all models")
}

# The rules name these actions in line, so that they are indexed; the catalogue has to say the same.
test_catalogue_agrees_with_the_rules_on_what_needs_no_standing if {
	anywhere := {action | some action, entry in data.authz.catalogue; entry.needs_no_current_location}
	_agree(_nowhere, anywhere, "the actions with needs_no_current_location (facts_test.rego has the list)")
	crossing := {action | some action, entry in data.authz.catalogue; entry.crosses_organizations}
	_agree({"entity.create", "entity.associate", "entity.dissociate"}, crossing, "the actions with crosses_organizations")
	regional := {action | some action, entry in data.authz.catalogue; entry.model == "regional"}
	_agree({"patient.view"}, regional, "the actions with model: regional")
}

# Everything else changes something, for which facts have to be fresher.
test_catalogue_names_the_read_only_actions if {
	expected := {
		"user.list", "user.view", "user.view_locations", "location.switch", "area.access", "patient.view",
		"incident.view", "summary.view",
	}
	_agree(expected, {action | some action, entry in data.authz.catalogue; entry.read_only}, "the actions with read_only")
	every entry in data.authz.catalogue { is_boolean(entry.read_only) }
}

test_catalogue_has_an_action_as_read_only_only_if_every_model_says_so[note] if {
	some note, value in {"absent": [], "false": [false], "a text": ["true"], "a number": [1]}
	patches := array.concat(
		[{"op": "remove", "path": "user.view/read_only"}],
		[{"op": "add", "path": "user.view/read_only", "value": v} | some v in value],
	)
	changed := json.patch(data.authz.practice_group.actions, patches)
	catalogue := data.authz.catalogue with data.authz.practice_group.actions as changed
	not catalogue["user.view"].read_only
}

test_catalogue_names_the_type_of_resource[note] if {
	on_locations := {
		"user.list", "location.switch", "incident.view", "summary.view", "area.access",
		"entity.create", "entity.associate", "entity.dissociate",
	}
	some note, type in {"location": "location", "patient": "patient", "user": "user"}
	actions := {action | some action, entry in data.authz.catalogue; entry.resource == type}
	all := {action | some action, _ in data.authz.catalogue}
	expected := {
		"location": on_locations, "patient": {"patient.view"},
		"user": all - (on_locations | {"patient.view"}),
	}[note]
	_agree(expected, actions, concat(" ", ["the actions on the resource", type]))
}

test_catalogue_names_the_models_of_an_action[note] if {
	some note, models in {
		"user.list": {"regional", "health_system", "practice_group"},
		"user.delete": {"practice_group"},
		"user.deactivate": {"regional", "practice_group"},
		"user.reset_password": {"regional", "health_system"},
		"location.switch": {"regional", "health_system", "practice_group"},
		"entity.create": {"health_system", "vendor"},
		"patient.view": {"regional"},
	}
	_agree(models, data.authz.catalogue[note].models, concat(" ", ["the models with the action", note]))
}

# Every model says the same of an action that it shares.
test_catalogue_is_the_same_for_every_model if {
	every action, entry in data.authz.catalogue {
		{said |
			some model in entry.models
			table := data.authz[model].actions[action]
			said := [
				table.resource,
				object.get(table, "needs_no_current_location", false),
				object.get(table, "crosses_organizations", false),
				object.get(table, "read_only", false),
			]
		} == {[
			entry.resource,
			entry.needs_no_current_location,
			entry.crosses_organizations,
			entry.read_only,
		]}
	}
}

test_vocabulary_is_what_a_directory_may_name if {
	expected := {
		"region": {"regional_admin"},
		"division": {"division_admin", "public_health_admin", "public_health"},
		"facility": {"ed_admin", "ed_normal"},
		"system": {"system_admin", "entity_admin"},
		"entity": {"user", "entity_admin"},
		"group": {"owner", "practitioner", "administrator"},
		"practice": {"owner", "practitioner", "administrator"},
		"vendor": {"vendor_staff"},
	}
	roles := data.authz.vocabulary.roles
	_agree(object.keys(expected), object.keys(roles), "the kinds of location")
	every kind, _ in expected {
		_agree(expected[kind], roles[kind], sprintf("the roles that can be assigned at a %s", [kind]))
	}
	levels := {"full", "standard", "limited"}
	_agree(levels, data.authz.vocabulary.levels, "the levels of access")
	areas := {
		"patient_records", "calendars", "invoices", "locations", "credit_settings", "reminder_settings", "users",
	}
	_agree(areas, data.authz.vocabulary.areas, "the areas")
}

test_catalogue_names_the_roles_that_can_give_power[note] if {
	some note, c in {
		"the vendor's": {"action": "entity.create", "role": "vendor_staff", "named": true},
		"one with a column": {"action": "user.view", "role": "ed_admin", "named": true},
		"one without": {"action": "user.view", "role": "ed_normal", "named": false},
		"one that administers": {"action": "user.view", "role": "entity_admin", "named": true},
		"one that does not": {"action": "user.view", "role": "user", "named": false},
		"another model's": {"action": "user.deactivate", "role": "entity_admin", "named": false},
		"a member's": {"action": "user.view", "role": "practitioner", "named": true},
	}
	named := c.role in data.authz.catalogue[c.action].roles
	named == c.named
}

test_all_13_types_of_obligation_are_declared if {
	expected := {"custom", "notification", "session_termination"}
	_agree(expected, data.authz.supported_obligations, "the types of obligation")
}
