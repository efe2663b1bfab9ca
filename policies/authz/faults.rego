package authz

import data.authz.health_system
import data.authz.practice_group
import data.authz.regional

# METADATA
# title: What is wrong with the tables, each a sentence that names the cell
# description: A policy with faults is refused when it is loaded.
# scope: document
faults contains fault if some fault in regional.faults

faults contains fault if some fault in health_system.faults

faults contains fault if some fault in practice_group.faults

faults contains sprintf("%s roles, %s, offered_at: %v is no kind of location in this model", [model, role, kind]) if {
	some model, roles in _roles
	some role, entry in roles
	some kind in entry.offered_at
	not kind in _kinds[model]
}

faults contains sprintf("%s roles, %s: offered_at lists no kind of location", [model, role]) if {
	some model, roles in _roles
	some role, entry in roles
	not _is_list(object.get(entry, "offered_at", []))
}

faults contains sprintf("%s roles, %s, %s: %v is neither true nor false", [model, role, name, value]) if {
	some model, roles in _roles
	some role, entry in roles
	some name in _switches[model]
	value := object.get(entry, name, "nothing")
	not is_boolean(value)
}

faults contains sprintf("%s actions, %s, resource: %v is none of location; patient; user", [model, name, resource]) if {
	some model, actions in _actions
	some name, entry in actions
	resource := object.get(entry, "resource", "nothing")
	not resource in {"location", "patient", "user"}
}

faults contains sprintf("%s actions, %s, resource: another model says %v", [model, name, other.resource]) if {
	some model, actions in _actions
	some name, entry in actions
	some others in _actions
	other := others[name]
	other.resource != entry.resource
}

faults contains sprintf("%s actions, %s, allow_self: say true or false", [model, name]) if {
	some model, actions in _actions
	some name, entry in actions
	not is_boolean(object.get(entry, "allow_self", null))
}

faults contains sprintf("%s actions, %s, read_only: %v is neither true nor false", [model, name, entry.read_only]) if {
	some model, actions in _actions
	some name, entry in actions
	not is_boolean(object.get(entry, "read_only", false))
}

faults contains sprintf("%s actions, %s, read_only: another model says %v", [model, name, said]) if {
	some model, actions in _actions
	some name, entry in actions
	some others in _actions
	said := object.get(others[name], "read_only", false)
	said != object.get(entry, "read_only", false)
}

# A word that nobody reads may be a misspelt one, and what it was to say is not in force.
faults contains sprintf("%s roles, %s: there is no member %s", [model, role, member]) if {
	some model, roles in _roles
	some role, entry in roles
	some member, _ in entry
	not member in array.concat(["offered_at"], array.concat(_switches[model], _further[model]))
}

faults contains sprintf("%s actions, %s: there is no member %s", [model, name, member]) if {
	some model, actions in _actions
	some name, entry in actions
	some member, _ in entry
	not member in _action_members
}

faults contains sprintf("%s actions, %s, %s: %v is neither true nor false", [model, name, member, entry[member]]) if {
	some model, actions in _actions
	some name, entry in actions
	some member in ["needs_no_current_location", "crosses_organizations"]
	not is_boolean(object.get(entry, member, false))
}

faults contains sprintf("%s actions, %s, model: there is no model %v", [model, name, entry.model]) if {
	some model, actions in _actions
	some name, entry in actions
	not object.get(entry, "model", model) in object.keys(_actions)
}

# The catalogue has one entry for all models.
faults contains sprintf("%s actions, %s, %s: another model says %v", [model, name, member, said]) if {
	some model, actions in _actions
	some name, entry in actions
	some others in _actions
	others[name]
	some member in ["needs_no_current_location", "crosses_organizations", "model"]
	said := object.get(others[name], member, "nothing")
	said != object.get(entry, member, "nothing")
}

faults contains sprintf("regional suppresses, %s: %v is no RULE/code with a sentence", [cause, rule]) if {
	some cause, rules in data.authz.regional.suppresses
	some rule in array.concat([cause], rules)
	not _is_rule(rule)
}

faults contains sprintf("%s remedies: %v is no RULE/code with a sentence", [model, rule]) if {
	some model, remedies in _remedies
	some rule, _ in remedies
	not _is_rule(rule)
}

faults contains sprintf("%s actions, %s, properties, %s: %v is none of %s", [model, name, property, form, _forms]) if {
	some model, actions in _actions
	some name, entry in actions
	some property, form in entry.properties
	not form in split(_forms, "; ")
}

faults contains sprintf("%s actions, %s: say which rules judge it, or rules: [] for none", [model, name]) if {
	some model, actions in _actions
	some name, entry in actions
	not entry.rules
}

faults contains sprintf("%s actions, %s, %s: %v is no RULE/code with a sentence", [model, name, list, rule]) if {
	some model, actions in _actions
	some name, entry in actions
	some list in ["rules", "required_rules"]
	some rule in _flat(object.get(entry, list, []))
	not _is_rule(rule)
}

faults contains sprintf("%s remedies, %s: there is no sentence for the advice %v", [model, rule, code]) if {
	some model, remedies in _remedies
	some rule, code in remedies
	not data.authz.messages.advice[code]
}

faults contains sprintf("messages, %s, %s: there is no sentence", [list, code]) if {
	some list, sentences in data.authz.messages
	some code, sentence in sentences
	not _is_sentence(sentence)
}

_forms := "flag?; switches?; text; text?; texts; texts?"

_remedies := {
	"regional": data.authz.regional.remedies,
	"practice_group": data.authz.practice_group.remedies,
}

_kinds := {
	"regional": {"region", "division", "facility"},
	"health_system": {"system", "entity"},
	"practice_group": {"group", "practice"},
	"vendor": {"vendor"},
}

_switches := {
	"regional": ["reaches_down", "sees_patients"],
	"health_system": ["administers", "reaches_down", "system_features", "granted"],
	"practice_group": ["reaches_down", "owns"],
	"vendor": ["creates_entities"],
}

# What else a role may say.
_further := {
	"regional": ["columns"],
	"health_system": ["rank"],
	"practice_group": ["registration"],
	"vendor": [],
}

_action_members := {
	"resource", "allow_self", "read_only", "properties", "rules", "required_rules",
	"needs_no_current_location", "crosses_organizations", "model",
}

_is_list(list) if {
	is_array(list)
	count(list) > 0
}

# Lists of rules are plain, or one for each row.
_flat(rules) := rules if is_array(rules)

_flat(rules) := [rule | some list in rules; some rule in list] if is_object(rules)

_is_rule(rule) if {
	[_, code] = array.slice(split(rule, "/"), 0, 2)
	data.authz.messages.reasons[code]
}

_is_sentence(sentence) if {
	is_string(sentence)
	endswith(sentence, ".")
}
