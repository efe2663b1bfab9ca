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

# A word that nobody reads may be a misspelt one, and what it was to say is not in force.
faults contains sprintf("%s: there is no member %s, only %s", [where, member, concat(", ", object.keys(members))]) if {
	some [where, entry, members] in _tables
	some member, _ in entry
	not member in object.keys(members)
}

faults contains sprintf("%s, %s: got %v, expected one of %s", [where, member, value, _listed(allowed)]) if {
	some [where, entry, members] in _tables
	some member, allowed in members
	is_set(allowed)
	value := object.get(entry, member, "nothing")
	not value in allowed
}

faults contains sprintf("%s roles, %s, offered_at: got %v, expected a list of %s", [model, role, kinds, words]) if {
	some model, roles in _roles
	some role, entry in roles
	kinds := object.get(entry, "offered_at", "nothing")
	not _lists_some(kinds, _kinds[model])
	words := _listed(_kinds[model])
}

# The catalogue has one entry for all models.
faults contains sprintf("%s actions, %s, %s: another model says %v", [model, name, member, said]) if {
	some model, actions in _actions
	some name, entry in actions
	some others in _actions
	others[name]
	some member in ["resource", "read_only", "needs_no_current_location", "crosses_organizations", "model"]
	said := object.get(others[name], member, "nothing")
	said != object.get(entry, member, "nothing")
}

faults contains sprintf(
	"%s actions, %s, properties, %s: got %v, expected one of %s",
	[model, name, property, form, words],
) if {
	forms := {"flag?", "switches?", "text", "text?", "texts", "texts?"}
	words := _listed(forms)
	some model, actions in _actions
	some name, entry in actions
	some property, form in entry.properties
	not form in forms
}

faults contains sprintf("%s actions, %s, required_rules: an action without properties has none", [model, name]) if {
	some model, actions in _actions
	some name, entry in actions
	entry.required_rules
	not entry.properties
}

faults contains sprintf("%s actions, %s, rules: say which rules judge it, [] for none%s", [model, name, rowwise]) if {
	some model, actions in _actions
	some name, entry in actions
	rowwise := {true: ", for each row", false: ""}[_is_rowwise(model)]
	not _is_rules(model, object.get(entry, "rules", null))
}

faults contains sprintf("%s actions, %s, %s: there is no rule %v", [model, name, list, rule]) if {
	some [model, name, list, rule] in _named_rules
	not _rules[model][rule]
}

faults contains sprintf("%s rules, %s: no action names it", [model, rule]) if {
	some model, rules in _rules
	some rule, _ in rules
	not [model, rule] in _used_rules
}

faults contains sprintf("%s rules, %s, rule: %v is no id such as REG-I1", [model, rule, entry.rule]) if {
	some model, rules in _rules
	some rule, entry in rules
	not regex.match(`^[A-Z]+-[A-Z]?[0-9]+$`, entry.rule)
}

faults contains sprintf("%s rules, %s, suppresses: there is no rule %v", [model, rule, other]) if {
	some model, rules in _rules
	some rule, entry in rules
	some other in entry.suppresses
	not rules[other]
}

faults contains sprintf("messages, %s, %s: there is no sentence", [list, code]) if {
	some list, sentences in data.authz.messages
	some code, sentence in sentences
	not endswith(sentence, ".")
}

# The entries of the tables, with what each member may be: one of a set, or null where it is checked elsewhere.
_tables contains [sprintf("%s roles, %s", [model, role]), entry, _role_members[model]] if {
	some model, roles in _roles
	some role, entry in roles
}

_tables contains [sprintf("%s actions, %s", [model, name]), entry, members] if {
	members := {
		"resource": {"location", "patient", "user"}, "allow_self": _switch,
		"model": (object.keys(_actions) | {"nothing"}),
		"read_only": _mark, "needs_no_current_location": _mark, "crosses_organizations": _mark,
		"properties": null, "rules": null, "required_rules": null,
	}
	some model, actions in _actions
	some name, entry in actions
}

_tables contains [sprintf("%s rules, %s", [model, rule]), entry, members] if {
	members := {
		"rule": null, "code": object.keys(data.authz.messages.reasons), "field": null, "suppresses": null,
		"advice": (object.keys(data.authz.messages.advice) | {"nothing"}),
	}
	some model, rules in _rules
	some rule, entry in rules
}

_tables contains [sprintf("health_system plans, %s", [plan]), entry, {"system_features": _switch}] if {
	some plan, entry in data.authz.health_system.plans
}

# Every level says of every area whether it is open.
_tables contains [sprintf("practice_group levels, %s", [level]), areas, every_area] if {
	every_area := {area: _switch | some other in data.authz.practice_group.levels; some area, _ in other}
	some level, areas in data.authz.practice_group.levels
}

_tables contains cell if some cell in regional.cells

_switch := {true, false}

# A mark is true where it is there.
_mark := {true, "nothing"}

_role_members := {
	"regional": {"offered_at": null, "reaches_down": _switch, "sees_patients": _switch, "columns": null},
	"health_system": {
		"offered_at": null, "rank": null, "administers": _switch, "reaches_down": _switch, "system_features": _switch,
		"granted": _switch,
	},
	"practice_group": {
		"offered_at": null, "reaches_down": _switch, "owns": _switch, "registration": {"optional", "refused", "required"},
	},
	"vendor": {"offered_at": null, "creates_entities": _switch},
}

_kinds := {
	"regional": {"region", "division", "facility"},
	"health_system": {"system", "entity"},
	"practice_group": {"group", "practice"},
	"vendor": {"vendor"},
}

_listed(allowed) := concat("; ", sort([sprintf("%v", [value]) | some value in allowed]))

_lists_some(list, allowed) if {
	is_array(list)
	count(list) > 0
	every element in list {
		element in allowed
	}
}

# In some models the rules of an action depend on the row that judges it.
_is_rowwise(model) := model in {"health_system", "practice_group"}

_is_rules(model, rules) if {
	not _is_rowwise(model)
	is_array(rules)
}

_is_rules(model, rules) if {
	_is_rowwise(model)
	is_object(rules)
	every row in rules {
		is_array(row)
	}
}

_named_rules contains [model, name, list, rule] if {
	some model, actions in _actions
	some name, entry in actions
	some list in ["rules", "required_rules"]
	some rule in _flat(entry[list])
}

_used_rules := {[model, rule] | some [model, _, _, rule] in _named_rules}

_flat(rules) := rules if is_array(rules)
_flat(rules) := [rule | some row in rules; some rule in row] if is_object(rules)
