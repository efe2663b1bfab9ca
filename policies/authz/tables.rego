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
	"resource": entries[0].resource,
	"models": {model | some model, actions in _actions; actions[name]},
	"needs_no_current_location": object.get(entries[0], "needs_no_current_location", false),
	"crosses_organizations": object.get(entries[0], "crosses_organizations", false),
	"model": object.get(entries[0], "model", ""),
	"read_only": {object.get(entry, "read_only", false) | some entry in entries} == {true},
	"properties": {property | some entry in entries; some property, _ in entry.properties},
	"roles": {role |
		some model, actions in _actions
		actions[name]
		some role, entry in _roles[model]
		_empowers(model, entry)
	},
} if {
	some actions in _actions
	some name, _ in actions
	entries := [other[name] | some other in _actions]
}

# METADATA
# title: What a directory may name, by the tables
vocabulary := {
	"roles": {kind: roles |
		some table in _roles
		some entry in table
		some kind in entry.offered_at
		roles := {role | some other in _roles; some role, offer in other; kind in offer.offered_at}
	},
	"levels": object.keys(data.authz.practice_group.levels),
	"areas": object.keys(data.authz.practice_group.levels[data.authz.practice_group.default_level]),
}

# METADATA
# title: The types of obligation that a decision may carry, for the metadata (section 7)
supported_obligations := {"custom", "notification", "session_termination"}

_empowers("regional", entry) if entry.columns
_empowers("health_system", entry) if entry.administers

# Any member may have the area users, or another.
_empowers("practice_group", _)
_empowers("vendor", entry) if entry.creates_entities
