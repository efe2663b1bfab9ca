package authz_test

test_catalogue_has_the_actions_of_the_specification if {
	{action | some action, _ in data.authz.catalogue} == {
		"user.list", "user.view", "user.view_locations", "user.edit", "user.reset_password", "user.invite",
		"user.deactivate", "user.reactivate", "user.delete",
		"assignment.add", "assignment.edit", "assignment.remove", "default_location.change",
		"admin.grant", "admin.revoke", "access.change", "area.access", "invitation.accept", "invitation.reject",
		"location.switch", "patient.view", "incident.view", "summary.view",
		"entity.create", "entity.associate", "entity.dissociate",
	}
}

# The rules name these actions in line, so that they are indexed; the catalogue has to say the same.
test_catalogue_agrees_with_the_rules_on_what_needs_no_standing if {
	{action | some action, entry in data.authz.catalogue; entry.nowhere} == _nowhere
	{action | some action, entry in data.authz.catalogue; entry.anywhere} == {
		"entity.create", "entity.associate", "entity.dissociate",
	}
	{action | some action, entry in data.authz.catalogue; entry.model == "regional"} == {"patient.view"}
}

test_catalogue_names_the_type_of_resource[note] if {
	on_locations := {
		"user.list", "location.switch", "incident.view", "summary.view", "area.access",
		"entity.create", "entity.associate", "entity.dissociate",
	}
	some note, type in {"location": "location", "patient": "patient", "user": "user"}
	actions := {action | some action, entry in data.authz.catalogue; entry.resource == type}
	all := {action | some action, _ in data.authz.catalogue}
	actions == {
		"location": on_locations, "patient": {"patient.view"},
		"user": all - (on_locations | {"patient.view"}),
	}[note]
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
	data.authz.catalogue[note].models == models
}

# Every model says the same of an action that it shares.
test_catalogue_is_the_same_for_every_model if {
	every action, entry in data.authz.catalogue {
		{said |
			some model in entry.models
			table := data.authz[model].actions[action]
			said := [table.resource, object.get(table, "stands", ""), object.get(table, "anywhere", false)]
		} == {[
			entry.resource,
			{true: "nowhere", false: ""}[entry.nowhere],
			entry.anywhere,
		]}
	}
}

test_vocabulary_is_what_a_directory_may_name if {
	data.authz.vocabulary == {
		"roles": {
			"region": {"regional_admin"},
			"division": {"division_admin", "public_health_admin", "public_health"},
			"facility": {"ed_admin", "ed_normal"},
			"system": {"system_admin", "entity_admin"},
			"entity": {"user", "entity_admin"},
			"group": {"owner", "practitioner", "administrator"},
			"practice": {"owner", "practitioner", "administrator"},
			"vendor": {"vendor_staff"},
		},
		"levels": {"full", "standard", "limited"},
		"areas": {
			"patient_records", "calendars", "invoices", "locations", "credit_settings", "reminder_settings", "users",
		},
	}
}
