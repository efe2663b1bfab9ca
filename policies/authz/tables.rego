package authz

# What the tables say, for those who gather facts and validate directories; and whether they are well-formed.

# METADATA
# title: The actions of all models, for whoever gathers the facts
# description: |
#   For each action its models and resource type; `nowhere` marks those that need no standing, `anywhere` those for
#   which standings in every organization count, `model` the one that judges without a place.
catalogue[name] := {
	"resource": _first_entry[name].resource,
	"models": {model | some model, actions in _actions; actions[name]},
	"nowhere": object.get(_first_entry[name], "stands", "somewhere") == "nowhere",
	"anywhere": object.get(_first_entry[name], "anywhere", false),
	"model": object.get(_first_entry[name], "model", ""),
} if {
	some actions in _actions
	some name, _ in actions
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

_roles := {
	"regional": data.authz.regional.roles,
	"health_system": data.authz.health_system.roles,
	"practice_group": data.authz.practice_group.roles,
	"vendor": data.authz.vendor.roles,
}

_actions := {
	"regional": data.authz.regional.actions,
	"health_system": data.authz.health_system.actions,
	"practice_group": data.authz.practice_group.actions,
	"vendor": data.authz.vendor.actions,
}

_first_entry[name] := [entry | some actions in _actions; entry := actions[name]][0] if {
	some actions in _actions
	some name, _ in actions
}
