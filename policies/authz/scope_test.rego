package authz_test

# Section 8: nobody whom the scope leaves out is asked about.
test_scope_of_a_standing[note] if {
	some note, c in {
		"a region": {"q": {"who": "regina", "does": "user.view"}, "scope": {"location": "metro"}},
		"a region from a division": {
			"q": {"who": "regina", "does": "user.view", "from": "north"},
			"scope": {"location": "north"},
		},
		"a region's other locations from a division": {
			"q": {"who": "regina", "does": "user.view_locations", "from": "north"},
			"scope": {"location": "metro"},
		},
		"a division": {"q": {"who": "dina", "does": "user.view", "from": "north"}, "scope": {"location": "north"}},
		"beneath it": {"q": {"who": "dina", "does": "user.view", "from": "abc"}, "scope": {"location": "abc"}},
		"a facility": {"q": {"who": "edna", "does": "user.view", "from": "abc"}, "scope": {"location": "abc"}},
		"several columns": {
			"q": {"who": "una", "does": "assignment.add", "from": "metro", "with": {"role": "regional_admin"}},
			"scope": {"location": "metro", "status": "active", "except": "una"},
		},
		"an entity": {"q": {"who": "hanna", "does": "user.view", "from": "mercy"}, "scope": {
			"location": "sisters", "assigned": {"location": "mercy"},
		}},
		"a system": {"q": {"who": "sam", "does": "user.view", "from": "sisters"}, "scope": {"location": "sisters"}},
		"the locations of a system's users": {
			"q": {"who": "sam", "does": "user.view_locations", "from": "sisters"},
			"scope": {"location": "sisters"},
		},
		"a group": {"q": {"who": "ursula", "does": "user.view", "from": "smile-a"}, "scope": {"location": "smile"}},
	}
	scope := data.authz.scope with input as asked_of_nobody(c.q)
	scope == c.scope
}

# ALL-9 and ALL-10: whether the account is in use, and that it is another's.
test_scope_of_an_account[note] if {
	some note, c in {
		"in use": {"q": {"who": "regina", "does": "user.edit"}, "scope": {"location": "metro", "status": "active"}},
		"another's": {"q": {"who": "regina", "does": "user.deactivate"}, "scope": {
			"location": "metro", "status": "active", "except": "regina",
		}},
		"not in use": {"q": {"who": "regina", "does": "user.reactivate"}, "scope": {
			"location": "metro", "status": "deactivated", "except": "regina",
		}},
		"deactivated in the group, or as a whole": {
			"q": {"who": "olga", "does": "user.reactivate", "from": "smile"},
			"scope": {"location": "smile", "except": "olga"},
		},
		"invited": {"q": {"who": "hanna", "does": "user.invite", "from": "mercy"}, "scope": {
			"location": "sisters", "status": "active", "except": "hanna",
		}},
		"invited as new": {
			"q": {"who": "hanna", "does": "user.invite", "from": "mercy", "with": {"new": true, "username": "new@example.org"}},
			"scope": {"location": "sisters"},
		},
	}
	scope := data.authz.scope with input as asked_of_nobody(c.q)
	scope == c.scope
}

# ALL-8, REG-I4, SYS-1, SYS-4, SYS-7, SYS-8, PRA-2 and PRA-12: what an assignment is that has to be there.
test_scope_of_an_assignment[note] if {
	some note, c in {
		"removed": {"q": {"who": "regina", "does": "assignment.remove"}, "assigned": {"location": "metro"}},
		"removed elsewhere": {
			"q": {"who": "regina", "does": "assignment.remove", "at": "abc"},
			"assigned": {"location": "abc"},
		},
		"edited": {"q": {"who": "dina", "does": "assignment.edit", "from": "north"}, "assigned": {"location": "north"}},
		"the new default": {
			"q": {"who": "dina", "does": "default_location.change", "from": "north"},
			"assigned": {"location": "north"},
		},
		"at an entity": {
			"q": {"who": "hanna", "does": "assignment.remove", "from": "mercy"},
			"assigned": {"location": "mercy"},
		},
		"edited at an entity": {
			"q": {"who": "hanna", "does": "user.edit", "from": "mercy"},
			"assigned": {"location": "mercy"},
		},
		"with a password reset": {
			"q": {"who": "hanna", "does": "user.reset_password", "from": "mercy"},
			"assigned": {"location": "mercy"},
		},
		"raised": {
			"q": {"who": "hanna", "does": "admin.grant", "from": "mercy", "with": {"role": "entity_admin"}},
			"assigned": {"location": "mercy"},
		},
		"revoked": {
			"q": {"who": "hanna", "does": "admin.revoke", "from": "mercy", "with": {"role": "entity_admin"}},
			"assigned": {"location": "mercy", "roles": ["entity_admin"]},
		},
		"revoked in several": {
			"q": {"who": "sam", "does": "admin.revoke", "from": "sisters", "with": {
				"role": "entity_admin", "locations": ["mercy", "grace"],
			}},
			"assigned": {"location": "mercy", "roles": ["entity_admin"]},
		},
		"granted in several": {
			"q": {"who": "sam", "does": "admin.grant", "from": "sisters", "with": {
				"role": "entity_admin", "locations": ["mercy"],
			}},
			"assigned": "any",
		},
		"revoked nowhere": {
			"q": {"who": "sam", "does": "admin.revoke", "from": "sisters", "with": {
				"role": "entity_admin", "locations": [],
			}},
			"assigned": "any",
		},
		"no owner's": {"q": {"who": "ursula", "does": "user.edit", "from": "smile"}, "assigned": {
			"location": "smile", "roles": ["administrator", "practitioner"],
		}},
		"anybody's": {"q": {"who": "olga", "does": "user.edit", "from": "smile"}, "assigned": "any"},
		"anybody's, whatever role is named": {
			"q": {"who": "olga", "does": "user.edit", "from": "smile", "with": {"role": "practitioner"}},
			"assigned": "any",
		},
		"of a practice": {
			"q": {"who": "olga", "does": "assignment.remove", "from": "smile-a"},
			"assigned": {"location": "smile-a"},
		},
		"of the same role": {
			"q": {"who": "olga", "does": "assignment.add", "from": "smile-a", "with": {"role": "practitioner"}},
			"assigned": {"location": "smile", "roles": ["practitioner"]},
		},
	}
	scope := data.authz.scope with input as asked_of_nobody(c.q)
	object.get(scope, "assigned", "any") == c.assigned
}

# Who can act on nobody has no scope.
test_no_scope_without_power[note] if {
	some note, q in {
		"a region": {"who": "norm", "from": "abc", "does": "user.view"},
		"a health system": {"who": "hugo", "from": "mercy", "does": "user.view"},
		"a group": {"who": "pia", "from": "smile", "does": "user.view"},
		"a column of no": {"who": "dina", "from": "north", "does": "assignment.remove"},
		"another place": {"who": "dina", "from": "north", "does": "assignment.edit", "at": "abc"},
		"another organization": {"who": "regina", "does": "user.view", "at": "coast"},
		"a location where one does not stand": {"who": "dina", "from": "metro", "does": "user.view"},
		"a practice where one does not stand": {"who": "ursula", "from": "smile-b", "does": "user.view"},
		"the system's features, at an entity": {"who": "sam", "from": "mercy", "does": "user.view_locations"},
		"an entity's, at the system": {"who": "sam", "from": "sisters", "does": "user.edit"},
		"system-wide, at an entity": {
			"who": "sam", "from": "mercy", "does": "admin.revoke", "with": {"role": "system_admin"},
		},
		"system-wide, by an administrator of the entity": {
			"who": "hanna", "from": "mercy", "does": "admin.grant", "with": {"role": "system_admin"},
		},
		"a grant by a user": {"who": "hugo", "from": "mercy", "does": "admin.grant", "with": {"role": "entity_admin"}},
		"a plan": {"who": "olaf", "from": "plain", "does": "user.view"},
		"a property that is missing": {"who": "regina", "does": "assignment.add"},
		"what nobody may": {"who": "olga", "from": "smile", "does": "user.delete"},
		"an action on locations": {"who": "regina", "does": "user.list"},
		"no action": {"who": "regina", "does": "user.praise"},
	}
	not data.authz.scope with input as asked_of_nobody(q)
}

test_no_scope_of_a_subject_that_is_not_known_and_active[note] if {
	some note, change in {
		"of another type": {"subject": {"type": "service"}},
		"with the facts of another": {"facts": {"subject": {"id": "dina"}}},
		"deactivated": {"facts": {"subject": {"status": "deactivated"}}},
	}
	doc := asked_of_nobody({"who": "regina", "does": "user.view"})
	data.authz.scope with input as doc
	not data.authz.scope with input as object.union(doc, change)
}

asked_of_nobody(q) := asked(world, object.union({"user": "nobody"}, q))

# Section 8: whom a subject search asks about, of what needs no current location.
test_subject_scope[note] if {
	some note, c in {
		"who may switch": {"q": {"does": "location.switch", "location": "abc"}, "assigned": {
			"locations": ["abc", "metro", "north"], "active": true,
		}},
		"who may see a patient": {
			"q": {"does": "patient.view", "patient": "p", "seen": ["abc", "ghi", "nowhere"]},
			"assigned": {"locations": ["abc", "ghi", "metro", "north"], "roles": _who_see_patients, "active": true},
		},
		"who may see a facility's incidents": {"q": {"does": "incident.view", "location": "abc"}, "around": {
			"locations": ["abc", "metro", "north"], "beneath": "abc", "active": true,
		}},
		"who may see a division's summaries": {"q": {"does": "summary.view", "location": "north"}, "around": {
			"locations": ["metro", "north"], "beneath": "north", "active": true,
		}},
		"who may switch to an entity": {"q": {"does": "location.switch", "location": "mercy"}, "assigned": {
			"locations": ["mercy", "sisters"], "active": true,
		}},
		"who may switch to a practice": {"q": {"does": "location.switch", "location": "smile-a"}, "assigned": {
			"locations": ["smile", "smile-a"], "active": true,
		}},
		"who may accept an invitation": {
			"q": {"does": "invitation.accept", "user": "ivo", "at": "smile"},
			"assigned": {"locations": ["smile"]},
		},
	}
	scope := data.authz.subject_scope with input as asked(world, object.union({"who": "nobody"}, c.q))
	scope == object.union({"status": "active"}, _described(c))
}

_described(c) := {"assigned": c.assigned}

_described(c) := {"assigned_around": c.around}

_who_see_patients := [role | some role, entry in data.authz.regional.roles; entry.sees_patients]

# Section 8: a property that is still to come leaves nobody out.
test_possible_scope if {
	q := {"who": "regina", "does": "assignment.add"}
	not data.authz.scope with input as asked_of_nobody(q)
	scope := data.authz.possible_scope with input as asked_of_nobody(q)
	scope == {"location": "metro", "status": "active", "except": "regina"}
}

# PRA-5: nor is anybody left out who has no assignment yet.
test_possible_scope_of_an_invitation if {
	q := {"who": "ursula", "does": "user.invite", "from": "smile"}
	scope := data.authz.possible_scope with input as asked_of_nobody(q)
	scope == {"location": "smile", "except": "ursula"}
}

test_no_possible_scope_without_power if {
	q := {"who": "dina", "does": "assignment.add", "from": "north"}
	not data.authz.possible_scope with input as asked_of_nobody(q)
}
