package authz

# What the tables say, for those who gather facts and validate directories; and whether they are well-formed.

# METADATA
# title: The actions of all models, for whoever gathers the facts
# description: |
#   For each action its models and resource type. `needs_no_current_location` marks those that are judged at their place
#   alone, `crosses_organizations` those that the subject may do from a location of any organization, and `model` is the
#   one that judges without a place. `roles` are those that can give power at all; nobody without one has to be asked
#   about. `properties` are the action's. `read_only` marks those that change nothing; whatever is not marked so, in
#   every model that knows it, changes something.
catalogue[name] := {
	"resource": _first_entry[name].resource,
	"models": {model | some model, actions in _action_table; actions[name]},
	"needs_no_current_location": object.get(_first_entry[name], "needs_no_current_location", false),
	"crosses_organizations": object.get(_first_entry[name], "crosses_organizations", false),
	"model": object.get(_first_entry[name], "model", ""),
	"read_only": {object.get(actions[name], "read_only", false) | some actions in _action_table} == {true},
	"properties": {property |
		some actions in _action_table
		some property, _ in actions[name].properties
	},
	"roles": {role |
		some model, actions in _action_table
		actions[name]
		some role, entry in _role_table[model]
		_empowers(model, entry)
	},
} if {
	some actions in _action_table
	some name, _ in actions
}

# METADATA
# title: What a directory may name, by the tables
vocabulary := {
	"roles": {kind: roles |
		some table in _role_table
		some entry in table
		some kind in entry.offered_at
		roles := {role | some other in _role_table; some role, offer in other; kind in offer.offered_at}
	},
	"levels": object.keys(data.authz.practice_group.levels),
	"areas": object.keys(data.authz.practice_group.levels[data.authz.practice_group.default_level]),
}

# METADATA
# title: The types of obligation that a decision may carry, for the metadata (section 7)
supported_obligations := {"custom", "notification", "session_termination"}

_role_table := {
	"regional": data.authz.regional.roles,
	"health_system": data.authz.health_system.roles,
	"practice_group": data.authz.practice_group.roles,
	"vendor": data.authz.vendor.roles,
}

_rule_table := {
	"regional": data.authz.regional.rules,
	"health_system": data.authz.health_system.rules,
	"practice_group": data.authz.practice_group.rules,
	"vendor": data.authz.vendor.rules,
}

_action_table := {
	"regional": data.authz.regional.actions,
	"health_system": data.authz.health_system.actions,
	"practice_group": data.authz.practice_group.actions,
	"vendor": data.authz.vendor.actions,
}

_first_entry[name] := [entry | some actions in _action_table; entry := actions[name]][0] if {
	some actions in _action_table
	some name, _ in actions
}

_empowers("regional", entry) if entry.columns
_empowers("health_system", entry) if entry.administers

# Any member may have the area users, or another.
_empowers("practice_group", _)
_empowers("vendor", entry) if entry.creates_entities
