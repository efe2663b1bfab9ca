package authz_test

# Stage 1: who and where.

test_all_1_another_action_or_type_of_resource_is_unknown[note] if {
	some note, q in {
		"no model knows it": {"who": "regina", "does": "user.promote", "user": "ed"},
		"another type": {"who": "regina", "does": "user.list", "user": "ed"},
		"the type of another action": {"who": "regina", "does": "user.edit", "location": "metro"},
		"a patient is viewed": {"who": "regina", "does": "user.view", "patient": "p"},
		"incidents of a user, at one's location": {"who": "norm", "does": "incident.view", "user": "ed", "at": "abc"},
		"incidents of a user, above it": {"who": "norm", "does": "incident.view", "user": "ed", "at": "north"},
		"another model's, in a region": {"who": "regina", "does": "user.invite", "user": "ed"},
		"another model's, in a health system": {"who": "sam", "does": "user.deactivate", "user": "hugo"},
		"reactivation in a health system": {"who": "sam", "does": "user.reactivate", "user": "hugo"},
		"another model's, in a group": {"who": "olga", "does": "user.reset_password", "user": "pia"},
		"users at the vendor": {"who": "vera", "does": "user.list", "location": "acme"},
		"entities in a region": {"who": "regina", "does": "entity.create", "location": "new"},
		"entities in a group": {"who": "olga", "does": "entity.create", "location": "new"},
		"incidents in a system": {"who": "sam", "does": "incident.view", "location": "sisters"},
		"incidents in a group": {"who": "olga", "does": "incident.view", "location": "smile"},
		"invitations in a region": {"who": "ed", "does": "invitation.accept", "user": "ed", "at": "metro"},
		"before the subject is looked at": {"who": "nobody", "does": "user.promote", "user": "ed"},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-1/unknown_action"]}
}

test_all_1_any_models_action_will_do_while_the_model_is_unknown[note] if {
	some note, c in {
		"a region's": {"does": "default_location.change", "user": "ed", "told": "ALL-3/unknown_location"},
		"a health system's": {"does": "admin.grant", "user": "ed", "told": "ALL-3/unknown_location"},
		"a group's": {"does": "access.change", "user": "ed", "told": "ALL-3/unknown_location"},
		"the vendor's": {"does": "entity.create", "location": "ed", "told": "ALL-3/unknown_location"},
		"nobody's": {"does": "user.promote", "user": "ed", "told": "ALL-1/unknown_action"},
		"of another type": {"does": "access.change", "location": "ed", "told": "ALL-1/unknown_action"},
	}
	answer(object.union(c, {"who": "regina", "from": "nowhere"})) == {"allow": false, "reasons": [c.told]}
}

test_all_2_subject_is_known_and_active[note] if {
	some note, c in {
		"unknown": {"who": "nobody", "told": "ALL-2/unknown_subject"},
		"deactivated": {"who": "off", "told": "ALL-2/subject_inactive"},
		"its username is not its id": {"who": "hugo@example.org", "told": "ALL-2/unknown_subject"},
	}
	answer({"who": c.who, "does": "user.edit", "user": "ed", "from": "abc"}) == {"allow": false, "reasons": [c.told]}
}

test_all_2_subject_is_of_type_user if {
	doc := asked(world, {"who": "regina", "does": "user.edit", "user": "ed", "from": "metro"})
	answer_to(doc).allow
	service := object.union(object.remove(doc, ["facts"]), {
		"subject": {"type": "service", "id": "regina"},
		"facts": object.remove(doc.facts, ["subject"]),
	})
	answer_to(service) == {"allow": false, "reasons": ["ALL-2/unknown_subject"]}

	# Even if facts came with it, or those of somebody else.
	every other in [{"subject": {"type": "service"}}, {"facts": {"subject": {"id": "dina"}}}] {
		answer_to(object.union(doc, other)) == {"allow": false, "reasons": ["ALL-2/unknown_subject"]}
	}
}

test_all_2_whole_account_counts_in_a_group_and_where_nobody_stands[note] if {
	some note, q in {
		"in a group": {"who": "desmond", "does": "user.list", "location": "smile", "from": "smile"},
		"switching": {"who": "off", "does": "location.switch", "location": "abc"},
		"accepting": {"who": "desmond", "does": "invitation.accept", "user": "desmond", "at": "smile"},
		"without a location": {"who": "desmond", "does": "user.list", "location": "smile"},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-2/subject_inactive"]}
}

test_all_3_subject_stands_where_it_may[note] if {
	some note, c in {
		"nowhere said, several to choose from": {"who": "ed", "told": "ALL-3/current_location_required"},
		"nowhere said, none to choose": {"who": "nora", "told": "ALL-3/current_location_required"},
		"nothing said is nothing said": {
			"who": "ed", "context": {"current_location": ""}, "told": "ALL-3/current_location_required",
		},
		"unknown": {"who": "regina", "from": "nowhere", "told": "ALL-3/unknown_location"},
		"unknown to one with an only location": {"who": "norm", "from": "nowhere", "told": "ALL-3/unknown_location"},
		"not one's own": {"who": "edna", "from": "ghi", "told": "ALL-3/not_at_current_location"},
		"above one's own": {"who": "edna", "from": "north", "told": "ALL-3/not_at_current_location"},
		"a role that does not reach down": {"who": "pat", "from": "abc", "told": "ALL-3/not_at_current_location"},
		"a division of another": {"who": "dina", "from": "south", "told": "ALL-3/not_at_current_location"},
		"another organization": {"who": "regina", "from": "coast", "told": "ALL-3/not_at_current_location"},
	}
	answer(object.union(c, {"does": "user.view", "user": "ed"})) == {"allow": false, "reasons": [c.told]}
}

test_all_3_standing_in_the_other_models[note] if {
	some note, c in {
		"an entity of another": {"who": "hugo", "from": "grace", "user": "faye"},
		"an entity of an administrator beside": {"who": "hanna", "from": "hope", "user": "hanna"},
		"the system from an entity": {"who": "hanna", "from": "sisters", "user": "hugo"},
		"a practice of a member without it": {"who": "pia", "from": "smile-b", "user": "paul"},
		"a group that one was invited to": {"who": "ivo", "from": "smile", "user": "pia"},
		"a group that one is deactivated in": {"who": "dora", "from": "smile", "user": "pia"},
		"and none of its practices counts": {"who": "dora", "from": "smile-a", "user": "pia"},
	}
	answer({"who": c.who, "does": "user.view", "user": c.user, "from": c.from}) == {
		"allow": false,
		"reasons": ["ALL-3/not_at_current_location"],
	}
}

test_all_3_roles_reach_down_and_an_only_location_is_taken[note] if {
	some note, q in {
		"a region to a division": {"who": "regina", "does": "user.list", "location": "south", "from": "south"},
		"a region to a facility": {"who": "regina", "does": "user.list", "location": "mno", "from": "mno"},
		"a division to a facility": {"who": "dina", "does": "user.list", "location": "ghi", "from": "ghi"},
		"public health too": {"who": "hal", "does": "user.list", "location": "abc", "from": "abc"},
		"a system to an entity": {"who": "erin", "does": "user.list", "location": "hope", "from": "hope"},
		"on the free plan too": {"who": "pete", "does": "user.list", "location": "elm", "from": "elm"},
		"an owner to a practice": {"who": "olga", "does": "user.list", "location": "smile", "from": "smile-b"},
		"an only location": {"who": "regina", "does": "user.list", "location": "metro"},
		"an only active one": {"who": "edna", "does": "user.list", "location": "abc"},
		"what needs none ignores it": {"who": "ed", "does": "location.switch", "location": "abc", "from": "nowhere"},
	}
	answer(q) == {"allow": true}
}

test_all_3_vendor_reaches_nobody if {
	answer({"who": "vera", "does": "entity.create", "location": "new", "from": "solo"}) == {
		"allow": false,
		"reasons": ["ALL-3/not_at_current_location"],
	}
}

test_all_4_place_is_known_and_in_this_organization[note] if {
	some note, c in {
		"unknown": {"who": "regina", "from": "metro", "at": "nowhere", "told": "ALL-4/unknown_location"},
		"another region": {"who": "regina", "from": "metro", "at": "pier", "told": "ALL-4/other_organization"},
		"another model": {"who": "regina", "from": "metro", "at": "mercy", "told": "ALL-4/other_organization"},
		"of somebody who belongs to both": {"who": "mixed", "from": "abc", "at": "pier", "told": "ALL-4/other_organization"},
		"before the user": {
			"who": "regina", "from": "metro", "user": "nobody", "at": "pier", "told": "ALL-4/other_organization",
		},
		"in a health system": {"who": "sam", "from": "sisters", "at": "oak", "told": "ALL-4/other_organization"},
	}
	answer(object.union({"does": "user.view", "user": "ed"}, c)) == {"allow": false, "reasons": [c.told]}
}

test_all_4_location_that_is_the_resource[note] if {
	some note, c in {
		"unknown": {"who": "regina", "does": "user.list", "location": "nowhere", "told": "ALL-4/unknown_location"},
		"elsewhere": {"who": "regina", "does": "user.list", "location": "coast", "told": "ALL-4/other_organization"},
		"switching": {"who": "regina", "does": "location.switch", "location": "nowhere", "told": "ALL-4/unknown_location"},
		"an incident": {"who": "regina", "does": "incident.view", "location": "nowhere", "told": "ALL-4/unknown_location"},
		"a summary": {"who": "regina", "does": "summary.view", "location": "nowhere", "told": "ALL-4/unknown_location"},
		"an area": {"who": "olga", "does": "area.access", "location": "nowhere", "told": "ALL-4/unknown_location"},
		"an invitation to nowhere": {
			"who": "ivo", "does": "invitation.accept", "user": "ivo", "at": "nowhere", "told": "ALL-4/unknown_location",
		},
		"an invitation without a place": {
			"who": "ivo", "does": "invitation.reject", "user": "ivo", "told": "ALL-4/unknown_location",
		},
		"though one stands somewhere": {
			"who": "duo", "does": "invitation.reject", "user": "duo", "from": "derma", "told": "ALL-4/unknown_location",
		},
	}
	answer(c) == {"allow": false, "reasons": [c.told]}
}

test_all_4_each_location_of_a_grant_or_revoke[note] if {
	some note, c in {
		"unknown": {"locations": ["nowhere"], "told": "ALL-4/unknown_location"},
		"another organization": {"locations": ["oak"], "told": "ALL-4/other_organization"},
		"one of several": {"locations": ["hope", "oak"], "told": "ALL-4/other_organization"},
		"another model": {"locations": ["smile"], "told": "ALL-4/other_organization"},
		"an unknown one is named first": {"locations": ["oak", "nowhere", "hope"], "told": "ALL-4/unknown_location"},
		"the place beside": {"locations": ["hope"], "at": "oak", "told": "ALL-4/other_organization"},
		"an unknown one before the place": {"locations": ["nowhere"], "at": "oak", "told": "ALL-4/unknown_location"},
	}
	every action in ["admin.grant", "admin.revoke"] {
		answer(object.union(c, {
			"who": "sam", "does": action, "user": "hugo", "from": "sisters",
			"with": {"role": "entity_admin", "locations": c.locations},
		})) == {"allow": false, "reasons": [c.told]}
	}
}

test_all_5_user_has_an_assignment_here[note] if {
	some note, c in {
		"unknown": {"who": "regina", "user": "nobody"},
		"of another region": {"who": "regina", "user": "cora"},
		"of another model": {"who": "regina", "user": "hugo"},
		"of nowhere": {"who": "regina", "user": "nora"},
		"an id is meant, not a username": {"who": "sam", "user": "hugo@example.org"},
		"of another group": {"who": "olga", "user": "derek"},
		"the vendor's": {"who": "sam", "user": "vera"},
	}
	answer({"who": c.who, "does": "user.view", "user": c.user}) == {"allow": false, "reasons": ["ALL-5/unknown_user"]}
}

test_all_5_status_of_the_assignment_does_not_matter[note] if {
	some note, q in {
		"a deactivated account": {"who": "regina", "does": "user.view", "user": "off"},
		"in two organizations": {"who": "regina", "does": "user.view", "user": "mixed"},
		"an invited one": {"who": "olga", "does": "user.view", "user": "ivo"},
		"one deactivated here": {"who": "olga", "does": "user.view", "user": "dora"},
	}
	answer(q) == {"allow": true}
}
