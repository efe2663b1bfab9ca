package authz_test

# The three entrypoints agree, each for its own use.

test_allow_is_the_decision_without_its_reasons[note] if {
	some note, c in {
		"allowed": {"q": {"who": "regina", "does": "user.view", "user": "ed"}, "allow": true},
		"with an obligation": {"q": {"who": "regina", "does": "user.edit", "user": "ed"}, "allow": true},
		"what needs no standing": {"q": {"who": "dina", "does": "location.switch", "location": "abc"}, "allow": true},
		"at the vendor": {"q": {"who": "vera", "does": "entity.create", "location": "newborn"}, "allow": true},
		"stage 1": {"q": {"who": "regina", "does": "user.view", "user": "nobody"}, "allow": false},
		"stage 2": {"q": {"who": "norm", "does": "user.view", "user": "ed"}, "allow": false},
		"stage 3": {"q": {"who": "regina", "does": "user.edit", "user": "off"}, "allow": false},
		"a form": {"q": {"who": "regina", "does": "assignment.add", "user": "ed", "at": "jkl"}, "allow": false},
		"an unsupported obligation": {
			"q": {"who": "regina", "does": "user.edit", "user": "ed", "context": {"supported_obligations": []}},
			"allow": false,
		},
		"another organization": {"q": {"who": "regina", "does": "user.list", "location": "coast"}, "allow": false},
		"a location of a grant": {
			"q": {"who": "sam", "does": "admin.grant", "user": "hugo", "with": {"role": "entity_admin", "locations": ["oak"]}},
			"allow": false,
		},
	}
	doc := asked(world, c.q)
	allowed := data.authz.allow with input as doc
	decision := data.authz.decision with input as doc
	allowed == c.allow
	decision.allow == c.allow
}

# Section 8: rules about an absent property are not held against an action, every other rule is.
test_possible_actions[note] if {
	some note, c in {
		"on a user of several locations, in the region": {
			"stand": {"who": "regina", "from": "metro"}, "on": {"user": "ed", "at": "ghi"},
			"want": {
				"assignment.edit", "assignment.remove", "default_location.change", "user.deactivate", "user.edit",
				"user.reset_password", "user.view", "user.view_locations",
			},
		},
		"at the default": {
			"stand": {"who": "regina", "from": "metro"}, "on": {"user": "ed", "at": "abc"},
			"want": {
				"assignment.edit", "user.deactivate", "user.edit", "user.reset_password", "user.view", "user.view_locations",
			},
		},
		"where there is no assignment": {
			"stand": {"who": "regina", "from": "metro"}, "on": {"user": "ed", "at": "jkl"},
			"want": {
				"assignment.add", "user.deactivate", "user.edit", "user.reset_password", "user.view", "user.view_locations",
			},
		},
		"in a division": {
			"stand": {"who": "dina", "from": "ghi"}, "on": {"user": "ed"},
			"want": {
				"assignment.edit", "default_location.change", "user.deactivate", "user.edit", "user.reset_password",
				"user.view", "user.view_locations",
			},
		},
		"on a deactivated user": {
			"stand": {"who": "regina", "from": "metro"}, "on": {"user": "off", "at": "ghi"},
			"want": {"user.reactivate", "user.view", "user.view_locations"},
		},
		"on oneself": {
			"stand": {"who": "edna", "from": "abc"}, "on": {"user": "edna"},
			"want": {"user.edit", "user.reset_password", "user.view", "user.view_locations"},
		},
		"by whoever may nothing": {"stand": {"who": "norm", "from": "abc"}, "on": {"user": "ed"}, "want": set()},
		"on a location": {
			"stand": {"who": "dina", "from": "north"}, "on": {"location": "abc"},
			"want": {"incident.view", "location.switch", "summary.view", "user.list"},
		},
		"at an entity": {
			"stand": {"who": "hanna", "from": "mercy"}, "on": {"user": "hugo"},
			"want": {"admin.grant", "assignment.remove", "user.edit", "user.reset_password", "user.view"},
		},
		"on who is not there": {
			"stand": {"who": "hanna", "from": "mercy"}, "on": {"user": "faye"},
			"want": {"user.invite"},
		},
		"at the system": {
			"stand": {"who": "sam", "from": "sisters"}, "on": {"user": "erin"},
			"want": {"admin.grant", "admin.revoke", "user.view", "user.view_locations"},
		},
		"by an owner": {
			"stand": {"who": "olga", "from": "smile"}, "on": {"user": "pia", "at": "smile-a"},
			"want": {"access.change", "assignment.edit", "assignment.remove", "user.deactivate", "user.edit", "user.view"},
		},
		"by a member with the area users, on an owner": {
			"stand": {"who": "ursula", "from": "smile"}, "on": {"user": "oscar"},
			"want": {"user.view"},
		},
		"on an account of another group": {
			"stand": {"who": "olga", "from": "smile"}, "on": {"user": "derek"},
			"want": {"user.invite"},
		},
		"on one's own invitation": {
			"stand": {"who": "ivo"}, "on": {"user": "ivo", "at": "smile"},
			"want": {"invitation.accept", "invitation.reject"},
		},
		"on a practice": {
			"stand": {"who": "pia", "from": "smile"}, "on": {"location": "smile-a"},
			"want": {"area.access", "location.switch"},
		},
		"on an entity that stands alone": {
			"stand": {"who": "vera"}, "on": {"location": "solo"},
			"want": {"entity.associate"},
		},
		"on an associated one": {"stand": {"who": "vera"}, "on": {"location": "oak"}, "want": {"entity.dissociate"}},
		"on nothing yet": {"stand": {"who": "vera"}, "on": {"location": "newborn"}, "want": {"entity.create"}},
	}
	actions := _actions_on(c.on)
	possible := {action |
		some action in actions
		doc := asked(world, object.union_n([{"does": action}, c.stand, c.on]))
		data.authz.possible with input as doc
	}
	possible == c.want
}

_actions_on(asked_about) := {action |
	some action, entry in data.authz.catalogue
	asked_about[entry.resource]
}

test_possible_holds_every_rule_about_a_property_that_is_there[note] if {
	some note, c in {
		"absent": {"with": {}, "possible": true},
		"good": {"with": {"new_role": "ed_normal"}, "possible": true},
		"not offered": {"with": {"new_role": "king"}, "possible": false},
		"elsewhere": {"with": {"new_location": "pier"}, "possible": false},
		"taken": {"with": {"new_location": "abc"}, "possible": false},
	}
	q := {"who": "regina", "does": "assignment.edit", "user": "ed", "at": "ghi", "with": c["with"]}
	possible := data.authz.possible with input as asked(world, q)
	possible == c.possible
}

test_possible_needs_the_obligations_to_be_supported if {
	q := {"who": "regina", "does": "assignment.edit", "user": "ed", "at": "ghi", "context": {"supported_obligations": []}}
	possible := data.authz.possible with input as asked(world, q)
	possible == false
}

test_sys_7_and_sys_8_are_possible_without_a_role_where_some_role_would_do[note] if {
	some note, c in {
		"a grant at the entity": {
			"q": {"who": "hanna", "does": "admin.grant", "user": "hugo", "from": "mercy"},
			"possible": true,
		},
		"a grant at the entity to its administrator": {
			"q": {"who": "erin", "does": "admin.grant", "user": "hanna", "from": "mercy"},
			"possible": false,
		},
		"a revoke of a role that is not held": {
			"q": {"who": "sam", "does": "admin.revoke", "user": "hugo", "from": "sisters", "with": {"role": "entity_admin"}},
			"possible": false,
		},
		"a grant from the system, which may name an entity": {
			"q": {"who": "sam", "does": "admin.grant", "user": "victor", "from": "sisters"},
			"possible": true,
		},
		"a revoke of nothing that is granted": {
			"q": {"who": "sam", "does": "admin.revoke", "user": "faye", "from": "sisters"},
			"possible": false,
		},
		"a revoke from the system of what is held at an entity": {
			"q": {"who": "sam", "does": "admin.revoke", "user": "erin", "from": "sisters"},
			"possible": true,
		},
		"a revoke at an entity of what is held at the system": {
			"q": {"who": "hanna", "does": "admin.revoke", "user": "greta", "from": "mercy"},
			"possible": false,
		},
	}
	possible := data.authz.possible with input as asked(world, c.q)
	possible == c.possible
}

test_sys_2_is_possible_without_a_username if {
	possible := data.authz.possible with input as asked(world, {
		"who": "hanna", "does": "user.invite", "user": "newcomer", "from": "mercy", "with": {"new": true},
	})
	possible
}

# REG-6, REG-7, REG-20, REG-21, REG-22, SYS-1, SYS-6 and PRA-1: an allow has a row as well, by the place and where the
# subject stands.
test_row_of_an_allow[note] if {
	some note, c in {
		"here": {"q": {"who": "regina", "does": "assignment.edit", "user": "jane", "from": "metro"}, "row": "REG-6"},
		"elsewhere": {
			"q": {"who": "regina", "does": "assignment.edit", "user": "jane", "from": "metro", "at": "ghi"},
			"row": "REG-7",
		},
		"an entity": {"q": {"who": "hanna", "does": "user.list", "location": "mercy", "from": "mercy"}, "row": "SYS-1"},
		"a system": {"q": {"who": "sam", "does": "user.list", "location": "sisters", "from": "sisters"}, "row": "SYS-6"},
		"a group": {"q": {"who": "olga", "does": "user.list", "location": "smile", "from": "smile"}, "row": "PRA-1"},
		"a switch to a practice": {"q": {"who": "olga", "does": "location.switch", "location": "smile-a"}, "row": "PRA-9"},
		"a switch to a facility": {"q": {"who": "regina", "does": "location.switch", "location": "ghi"}, "row": "REG-20"},
		"a patient": {"q": {"who": "dina", "does": "patient.view", "patient": "p", "seen": ["abc"]}, "row": "REG-21"},
		"an incident": {"q": {"who": "norm", "does": "incident.view", "location": "metro"}, "row": "REG-22"},
		"a summary": {"q": {"who": "norm", "does": "summary.view", "location": "metro"}, "row": "REG-22"},
	}
	row := data.authz.row with input as asked(world, c.q)
	row == c.row
}
