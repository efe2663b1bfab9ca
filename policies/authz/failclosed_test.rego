package authz_test

# Facts that are missing grant nothing. What the engine cannot know it leaves out of the facts, so a fact that an allow
# rests on must not be one that a rule merely finds absent.

# An allowed question for each way to be allowed.
_allowed_questions := object.union_n([_in_a_region, _in_a_health_system, _in_a_group])

_in_a_region := {
	"REG-1": {"who": "regina", "does": "user.list", "location": "metro"},
	"REG-2": {"who": "dina", "does": "user.list", "location": "abc"},
	"REG-3": {"who": "dina", "does": "user.view_locations", "user": "norm"},
	"REG-5": {"who": "regina", "does": "assignment.add", "user": "sue", "at": "abc", "with": {"role": "ed_normal"}},
	"REG-6": {"who": "edna", "does": "assignment.edit", "user": "norm", "with": {"new_role": "ed_admin"}},
	"REG-7": {"who": "regina", "does": "assignment.edit", "user": "ed", "at": "ghi", "with": {"new_location": "jkl"}},
	"REG-8": {"who": "dina", "does": "default_location.change", "user": "ed", "from": "ghi"},
	"REG-9": {"who": "regina", "does": "assignment.remove", "user": "ed", "from": "ghi"},
	"REG-10": {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "ghi"},
	"REG-11": {"who": "edna", "does": "user.edit", "user": "norm"},
	"REG-11 reactivate": {"who": "hal", "does": "user.reactivate", "user": "off"},
	"REG-20": {"who": "dina", "does": "location.switch", "location": "abc"},
	"REG-21": {"who": "dina", "does": "patient.view", "patient": "p", "seen": ["abc"]},
	"REG-22": {"who": "norm", "does": "incident.view", "location": "metro"},
}

_in_a_health_system := {
	"SYS-1": {"who": "hanna", "does": "user.edit", "user": "hugo", "from": "mercy"},
	"SYS-2": {"who": "hanna", "does": "user.invite", "user": "faye", "from": "mercy"},
	"SYS-2 new": {
		"who": "hanna", "does": "user.invite", "user": "newcomer", "from": "mercy",
		"with": {"new": true, "username": "new@example.org"},
	},
	"SYS-4": {"who": "erin", "does": "assignment.remove", "user": "hugo", "from": "mercy"},
	"SYS-5": {"who": "erin", "does": "location.switch", "location": "mercy"},
	"SYS-5 system": {"who": "sam", "does": "location.switch", "location": "sisters"},
	"SYS-6": {"who": "sam", "does": "user.view_locations", "user": "hugo"},
	"SYS-7": {"who": "hanna", "does": "admin.grant", "user": "hugo", "from": "mercy", "with": {"role": "entity_admin"}},
	"SYS-7 revoke": {
		"who": "erin", "does": "admin.revoke", "user": "hanna", "from": "mercy", "with": {"role": "entity_admin"},
	},
	"SYS-8": {
		"who": "sam", "does": "admin.grant", "user": "hugo", "with": {"role": "entity_admin", "locations": ["mercy"]},
	},
	"SYS-8 revoke": {"who": "sam", "does": "admin.revoke", "user": "erin", "with": {"role": "entity_admin"}},
	"SYS-11 create": {"who": "vera", "does": "entity.create", "location": "newborn"},
	"SYS-11 associate": {"who": "vera", "does": "entity.associate", "location": "solo", "with": {"system": "sisters"}},
	"SYS-11 dissociate": {"who": "vera", "does": "entity.dissociate", "location": "oak"},
}

_in_a_group := {
	"PRA-1": {"who": "ursula", "does": "user.edit", "user": "pia", "from": "smile"},
	"PRA-1 list": {"who": "olga", "does": "user.list", "location": "smile"},
	"PRA-3": {"who": "ursula", "does": "user.invite", "user": "newcomer", "from": "smile", "with": {
		"new": true, "role": "practitioner", "profession": "dentist", "level": "standard",
		"username": "new@example.org", "username_confirmation": "New@example.org", "password_supplied": true,
		"registration_number": "D-1", "locations": ["smile-a"], "name": {"given": "Nina", "family": "Neu"},
	}},
	"PRA-5": {"who": "ursula", "does": "user.invite", "user": "derek", "from": "smile", "with": {
		"role": "practitioner", "profession": "dentist", "level": "standard", "registration_number": "D-1",
		"username": "derek@example.org", "username_confirmation": "derek@example.org", "locations": ["smile-a"],
	}},
	"PRA-6": {"who": "ivo", "does": "invitation.accept", "user": "ivo", "at": "smile"},
	"PRA-8": {"who": "ursula", "does": "user.deactivate", "user": "pia", "from": "smile"},
	"PRA-8 reactivate": {"who": "olga", "does": "user.reactivate", "user": "dora"},
	"PRA-9": {"who": "olga", "does": "location.switch", "location": "smile-a"},
	"PRA-10": {"who": "pia", "does": "area.access", "location": "smile-a", "from": "smile", "with": {"area": "invoices"}},
	"PRA-12 add": {
		"who": "olga", "does": "assignment.add", "user": "pia", "at": "smile-b", "with": {"role": "practitioner"},
	},
	"PRA-12 edit": {
		"who": "ursula", "does": "assignment.edit", "user": "pia", "from": "smile", "with": {"new_role": "administrator"},
	},
	"PRA-12 remove": {"who": "ursula", "does": "assignment.remove", "user": "pia", "at": "smile-a", "from": "smile"},
	"PRA-12 access": {
		"who": "ursula", "does": "access.change", "user": "pia", "from": "smile", "with": {"level": "limited"},
	},
}

# What says no more than the fact beside it, serves ALL-11 or a message alone, or only some rules look at.
_incidental := {
	"standings", "organization.plan", "current.model", "current.path", "current.kind", "current.plan",
	"place.model", "place.path", "place.kind", "place.plan", "target.model", "target.path",
	"subject.assigned", "subject.assignments", "subject.default_location", "subject.username", "subject.within",
	"user.assigned", "user.held", "user.username",
}

# Where another fact may be missing: the questions that do not ask for it.
_not_asked_for := {
	"current.organization": {"SYS-11 create", "SYS-11 associate", "SYS-11 dissociate"},
	# Only who is asked about is known by the organization.
	"organization": _without_organization,
	"organization.id": _without_organization,
	# The place is not judged, or reached by its path.
	"place.id": {
		"REG-1", "REG-2", "REG-3", "REG-11", "REG-11 reactivate", "REG-20", "SYS-5", "SYS-6", "SYS-8",
		"PRA-1", "PRA-1 list", "PRA-3", "PRA-5", "PRA-8", "PRA-8 reactivate", "PRA-9", "PRA-12 edit", "PRA-12 access",
	},
	"place.organization": {"REG-20", "REG-22", "SYS-5", "SYS-5 system", "PRA-6", "PRA-9"},
	# What the subject holds is among the facts of where it stands.
	"subject.held": {
		"REG-1", "REG-2", "REG-3", "REG-5", "REG-6", "REG-7", "REG-8", "REG-9", "REG-10", "REG-11", "REG-11 reactivate",
		"SYS-1", "SYS-2", "SYS-2 new", "SYS-4", "SYS-6", "SYS-7", "SYS-7 revoke", "SYS-8", "SYS-8 revoke",
		"SYS-11 create", "SYS-11 associate", "SYS-11 dissociate", "PRA-6", "REG-22",
	},
	# Nothing is compared with the username.
	"folded": {"SYS-2 new"},
	"folded.username": {"SYS-2 new"},
	# Whoever answers an invitation is the subject.
	"user": {"PRA-6"},
	"user.id": {"PRA-6"},
	"user.within": {"SYS-2", "PRA-5", "PRA-6"},
	# ALL-10 is not judged.
	"user.status": {"REG-3", "SYS-6", "PRA-5", "PRA-8 reactivate"},
	"user.assignments": {"PRA-6"},
	"user.default_location": {"REG-3", "REG-5", "REG-6", "REG-7", "REG-11", "REG-11 reactivate"},
}

_without_organization := {
	"REG-1", "REG-2", "REG-20", "REG-22", "SYS-2", "SYS-2 new", "SYS-5", "SYS-5 system",
	"SYS-11 create", "SYS-11 associate", "SYS-11 dissociate", "PRA-1 list", "PRA-3", "PRA-5", "PRA-9", "PRA-10",
}

# The facts that can be taken away one by one: each of the top level and each of their members.
_facts_of(doc) := {[name] | some name, _ in doc.facts} | {[name, member] |
	some name, fact in doc.facts
	name != "standings"
	some member, _ in fact
}

_without(doc, path) := json.remove(doc, [array.concat(["facts"], path)])

_needed(_, path) if not concat(".", path) in (_incidental | object.keys(_not_asked_for))

_needed(row, path) if {
	questions := _not_asked_for[concat(".", path)]
	not row in questions
}

test_no_fact_may_be_missing_in_a_region[note] if {
	some note, q in _in_a_region
	_stands_on_its_facts(note, q)
}

test_no_fact_may_be_missing_in_a_health_system[note] if {
	some note, q in _in_a_health_system
	_stands_on_its_facts(note, q)
}

test_no_fact_may_be_missing_in_a_group[note] if {
	some note, q in _in_a_group
	_stands_on_its_facts(note, q)
}

_stands_on_its_facts(row, q) if {
	doc := asked(world, q)
	data.authz.allow with input as doc
	needed := {path | some path in _facts_of(doc); _needed(row, path)}
	count(needed) > 5
	every path in needed {
		_is_denied(_without(doc, path))
	}
}

_is_denied(doc) if {
	decision := data.authz.decision with input as doc
	decision.allow == false
	count(decision.reasons) > 0
}

_refused(doc) if {
	_is_denied(doc)
	allowed := data.authz.allow with input as doc
	allowed == false
}

test_without_facts_nothing_is_allowed[note] if {
	some note, q in _allowed_questions
	_refused(question(q))
	_refused(object.union(question(q), {"facts": {}}))
}

# What is missing of the question is missing of the answer.
test_malformed_question_is_denied_with_a_reason[note] if {
	some note, doc in {
		"nothing": {},
		"null": null,
		"a text": "allow",
		"a list": [],
		"facts alone": {"facts": {"model": "regional"}},
		"no action": {"subject": {"type": "user", "id": "regina"}, "resource": {"type": "user", "id": "ed"}},
		"an action without a name": {"subject": {"type": "user", "id": "regina"}, "action": {}},
		"an action that is a text": {"subject": {"type": "user", "id": "regina"}, "action": "user.view"},
		"no resource": {"subject": {"type": "user", "id": "regina"}, "action": {"name": "user.view"}},
		"facts that are none": {"subject": "regina", "action": {"name": "user.view"}, "resource": 7, "facts": []},
	}
	_refused(doc)
	possible := data.authz.possible with input as doc
	possible == false
}

test_missing_part_of_an_allowed_question_is_denied[note] if {
	some note, q in _allowed_questions
	doc := asked(world, q)
	every path in ["subject", "subject/type", "subject/id", "action", "action/name", "resource", "resource/type"] {
		_refused(json.remove(doc, [path]))
	}
}
