package authz_test

# A fact that is missing turns no denial into an allow: a rule that compares with a missing field must not pass.

_denied_questions := {
	"another region": {
		"who": "regina", "does": "assignment.edit", "user": "ed", "at": "ghi",
		"with": {"new_location": "pier"},
	},
	"the default": {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "abc"},
	"the default, moving": {
		"who": "regina", "does": "assignment.edit", "user": "ed", "from": "abc",
		"with": {"new_location": "jkl"},
	},
	"elsewhere": {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "ghi", "from": "south"},
	"the location too": {"who": "edna", "does": "assignment.edit", "user": "norm", "with": {"new_location": "ghi"}},
	"deactivated": {"who": "regina", "does": "user.edit", "user": "off"},
	"oneself": {"who": "regina", "does": "user.deactivate", "user": "regina"},
	"a second entity": {"who": "oona", "does": "user.invite", "user": "emil", "from": "oak"},
	"the free plan": {"who": "olaf", "does": "location.switch", "location": "plain"},
	"a grant elsewhere": {
		"who": "sam", "does": "admin.grant", "user": "hugo",
		"with": {"role": "entity_admin", "locations": ["oak"]},
	},
	"an associated entity": {"who": "vera", "does": "entity.associate", "location": "oak", "with": {"system": "sisters"}},
	"a free system": {"who": "vera", "does": "entity.associate", "location": "solo", "with": {"system": "plain"}},
	"an owner": {"who": "ursula", "does": "user.edit", "user": "oscar", "from": "smile"},
	"deactivated in the group": {"who": "olga", "does": "user.edit", "user": "dora"},
	"active in the group": {"who": "olga", "does": "user.reactivate", "user": "pia"},
	"another's invitation": {"who": "ivo", "does": "invitation.accept", "user": "pia", "at": "smile"},
	"another group's practice": object.union(_in_a_group["PRA-3"], {"with": {"locations": ["derma-a"]}}),
}

_all_facts_of(doc) := {path |
	walk(doc.facts, [path, _])
	count(path) > 0
	path[0] != "standings"
}

test_missing_fact_allows_nothing[note] if {
	some note, q in _denied_questions
	doc := asked(world, q)
	_is_denied(doc)
	every path in _all_facts_of(doc) {
		_is_denied(_without(doc, path))
	}
}

# What is not there at all is another matter: an assignment, an account or a location that is unknown is none.
test_absence_is_what_it_says[note] if {
	some note, c in {
		"an assignment": {
			"q": {"who": "regina", "does": "assignment.add", "user": "ed", "at": "ghi", "with": {"role": "ed_normal"}},
			"absent": ["user", "assignments", "ghi"],
		},
		"an account": {
			"q": object.union(_in_a_health_system["SYS-2 new"], {"user": "faye"}),
			"absent": ["user"],
		},
		"a namesake": {
			"q": object.union(_in_a_health_system["SYS-2 new"], {"with": {"username": "faye@example.org"}}),
			"absent": ["namesake"],
		},
		"a location": {
			"q": {"who": "vera", "does": "entity.create", "location": "mercy"},
			"absent": ["place", "kind"],
		},
	}
	doc := asked(world, c.q)
	_is_denied(doc)
	data.authz.allow with input as _without(doc, c.absent)
}
