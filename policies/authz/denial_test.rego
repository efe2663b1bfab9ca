package authz_test

test_all_11_names_where_the_same_question_would_be_allowed[note] if {
	some note, c in {
		"the region": {
			"q": {
				"who": "regina", "does": "assignment.add", "user": "ed", "at": "jkl", "from": "south",
				"with": {"role": "ed_normal"},
			},
			"told": "REG-5/not_permitted",
			"locations": ["metro"],
		},
		"the place too, where a role reaches down to it": {
			"q": {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "ghi", "from": "south"},
			"told": "REG-10/other_location",
			"locations": ["ghi", "metro"],
		},
		"the place being that location, where none was given": {
			"q": {"who": "una", "does": "user.view", "user": "ed", "from": "south"},
			"told": "REG-11/not_assigned_here",
			"locations": ["metro", "north"],
		},
		"for a default, the place given": {
			"q": {"who": "una", "does": "default_location.change", "user": "ed", "at": "ghi", "from": "south"},
			"told": "REG-8/other_location",
			"locations": ["ghi", "metro"],
		},
		"another of one's entities": {
			"q": {"who": "hanna", "does": "user.view", "user": "hugo", "from": "grace"},
			"told": "SYS-1/not_permitted",
			"locations": ["mercy"],
		},
		"the system": {
			"q": {"who": "sam", "does": "user.view_locations", "user": "hugo", "from": "mercy"},
			"told": "SYS-6/system_admin_required",
			"locations": ["sisters"],
		},
		"an entity that a role reaches down to": {
			"q": {"who": "sam", "does": "user.list", "location": "mercy", "from": "hope"},
			"told": "SYS-1/other_location",
			"locations": ["mercy", "sisters"],
		},
	}
	answer(c.q) == _sent_to(c.told, c.locations)
}

_sent_to(told, locations) := {
	"allow": false,
	"reasons": [told],
	"advice": [sprintf("ALL-11/switch_location locations=%v", [locations])],
}

test_all_11_gives_no_advice_where_no_location_helps[note] if {
	some note, c in {
		"no power anywhere": {
			"q": {"who": "norm", "does": "user.view", "user": "ed", "from": "abc"},
			"told": "REG-11/not_permitted",
		},
		"the power, but not the records": {
			"q": {"who": "regina", "does": "assignment.remove", "user": "sue", "at": "jkl", "from": "north"},
			"told": "REG-10/other_location",
		},
		"only what is held is tried, and the place": {
			"q": {"who": "erin", "does": "user.view", "user": "hugo", "from": "hope"},
			"told": "SYS-1/not_assigned_here",
		},
		"another organization is none of its business": {
			"q": {"who": "mixed", "does": "user.view_locations", "user": "pat", "from": "abc"},
			"told": "REG-4/not_assigned_here",
		},
		"a location that the place may not be": {
			"q": {
				"who": "hanna", "does": "admin.grant", "user": "hugo", "at": "hope", "from": "mercy",
				"with": {"role": "entity_admin"},
			},
			"told": "SYS-7/other_location",
		},
		"oneself": {"q": {"who": "regina", "does": "user.deactivate", "user": "regina"}, "told": "ALL-9/self"},
		"what needs no standing": {
			"q": {"who": "norm", "does": "location.switch", "location": "ghi"}, "told": "REG-20/not_assigned",
		},
		"an area of the group": {
			"q": {"who": "paul", "does": "area.access", "location": "smile-b", "from": "smile", "with": {"area": "users"}},
			"told": "PRA-10/area_required area=users",
		},
	}
	answer(c.q) == {"allow": false, "reasons": [c.told]}
}

test_all_11_advises_on_denials_of_stage_2_only if {
	answer({"who": "regina", "does": "user.list", "location": "pier", "from": "north"}) == {
		"allow": false,
		"reasons": ["ALL-4/other_organization"],
	}
	answer({"who": "una", "does": "assignment.edit", "user": "ed", "at": "ghi", "from": "ghi"}) == {
		"allow": false,
		"reasons": ["REG-6/nothing_to_change"],
	}
}

# Twenty other locations come first: the twenty-first is not tried.
test_all_11_tries_twenty_in_sorted_order[note] if {
	some note, c in {
		"first": {"region": "a", "advice": true},
		"twentieth": {"region": "d19z", "advice": true},
		"twenty-first": {"region": "d20z", "advice": false},
	}
	divisions := [sprintf("d%02d", [n]) | some n in numbers.range(1, 20)]
	directory := {
		"locations": object.union(
			{c.region: {"kind": "region", "model": "regional"}, "zoo": {"kind": "division", "parent": c.region}},
			{id: {"kind": "division", "parent": c.region} | some id in divisions},
		),
		"users": {
			"boss": {"default_location": "zoo", "assignments": object.union(
				{c.region: "regional_admin", "zoo": "public_health"},
				{id: "public_health" | some id in divisions},
			)},
			"other": {"default_location": "zoo", "assignments": {"zoo": "public_health"}},
		},
	}
	q := {"who": "boss", "does": "user.list", "location": c.region, "from": "zoo"}
	told := answer_in(directory, q)
	told == _advised(c.advice, c.region)
}

# Of the locations that are held, those beneath a role that does not reach down to the place come first in the order.
test_all_11_place_that_one_may_not_stand_at_is_not_tried if {
	held := [sprintf("d%02d", [n]) | some n in numbers.range(1, 20)]
	directory := {
		"locations": object.union(
			{"all": {"kind": "region", "model": "regional"}, "beneath": {"kind": "facility", "parent": "d01"}},
			{id: {"kind": "division", "parent": "all"} | some id in held},
		),
		"users": {
			"boss": {"default_location": "d01", "assignments": object.union(
				{id: "public_health" | some id in held},
				{"d20": "division_admin"},
			)},
			"other": {"default_location": "d20", "assignments": {"d20": "public_health"}},
		},
	}
	q := {"who": "boss", "does": "user.view", "user": "other", "at": "beneath", "from": "d01"}
	answer_in(directory, q) == _sent_to("REG-11/not_permitted", ["d20"])
}

test_all_11_does_not_send_to_another_organization if {
	doc := asked(world, {"who": "edna", "does": "user.view_locations", "user": "pat", "from": "abc"})
	coast := object.union(place(world, "coast"), {"held": {"coast": "regional_admin"}})
	answer_to(object.union(doc, {"facts": {"standings": {"coast": coast}}})) == {
		"allow": false,
		"reasons": ["REG-4/not_assigned_here"],
	}
}

_advised(true, region) := _sent_to("REG-1/not_permitted", [region])

_advised(false, _) := {"allow": false, "reasons": ["REG-1/not_permitted"]}

test_all_11_does_not_send_where_an_obligation_is_not_supported if {
	q := {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "ghi", "from": "south"}
	answer(object.union(q, {"context": {"supported_obligations": ["notification"]}})) == {
		"allow": false,
		"reasons": ["REG-10/other_location"],
	}
	answer(object.union(q, {"context": {"supported_obligations": ["custom"]}})) == _sent_to(
		"REG-10/other_location",
		["ghi", "metro"],
	)
}

test_all_11_sends_where_no_obligation_has_to_be_supported if {
	answer({
		"who": "victor", "does": "entity.create", "location": "newborn", "from": "sisters",
		"context": {"supported_obligations": []},
	}) == _sent_to("SYS-11/vendor_only", ["acme"])
}

test_all_13_caller_supports_each_obligation[note] if {
	confirm := ["REG-W1/multiple_locations custom action=confirm cause=multiple_locations"]
	refused := {"allow": false, "reasons": ["ALL-13/obligation_unsupported"]}
	some note, c in {
		"does not say": {"context": {}, "supported": true},
		"says nothing": {"context": {"supported_obligations": null}, "supported": true},
		"supports it": {"context": {"supported_obligations": ["custom"]}, "supported": true},
		"supports it among others": {"context": {"supported_obligations": ["notification", "custom"]}, "supported": true},
		"supports another": {"context": {"supported_obligations": ["notification"]}, "supported": false},
		"says it beside what is no text": {"context": {"supported_obligations": ["custom", 7]}, "supported": false},
		"supports none": {"context": {"supported_obligations": []}, "supported": false},
		"says it in another form": {"context": {"supported_obligations": "custom"}, "supported": false},
		"says it among what is no text": {"context": {"supported_obligations": ["custom", 5]}, "supported": false},
		"means a type, not an id": {"context": {"supported_obligations": ["REG-W1/multiple_locations"]}, "supported": false},
	}
	told := answer({"who": "regina", "does": "user.edit", "user": "ed", "context": c.context})
	told == {true: {"allow": true, "obligations": confirm}, false: refused}[c.supported]
}

test_all_13_one_of_several_is_not_enough if {
	q := {"who": "regina", "does": "user.deactivate", "user": "ed"}
	every supported in [["custom"], ["session_termination"], []] {
		answer(object.union(q, {"context": {"supported_obligations": supported}})) == {
			"allow": false,
			"reasons": ["ALL-13/obligation_unsupported"],
		}
	}
	answer(object.union(q, {"context": {"supported_obligations": ["custom", "session_termination"]}})).allow
}

test_all_13_denial_carries_no_advice_of_the_allow if {
	q := {
		"who": "regina", "does": "assignment.edit", "user": "ed", "at": "abc", "with": {"new_location": "jkl"},
		"context": {"supported_obligations": []},
	}
	answer(q) == {"allow": false, "reasons": ["ALL-13/obligation_unsupported"]}
}

test_all_13_does_not_affect_a_decision_without_obligations[note] if {
	some note, c in {
		"an allow": {"who": "regina", "does": "user.view", "user": "ed", "want": {"allow": true}},
		"a confirmed one": {
			"who": "regina", "does": "user.edit", "user": "ed", "context": {"confirmed": true},
			"want": {"allow": true},
		},
		"a denial": {
			"who": "regina", "does": "user.edit", "user": "off",
			"want": {"allow": false, "reasons": ["ALL-10/user_inactive"]},
		},
	}
	answer(object.union(c, {"context": {"supported_obligations": []}})) == c.want
}

# Section 2: a denial comes from the first stage that fails, and tells nothing of the later ones.
test_stages_are_judged_in_order[note] if {
	some note, c in {
		"the action before the subject": {
			"q": {"who": "off", "does": "user.promote", "user": "ed", "from": "nowhere"},
			"told": "ALL-1/unknown_action",
		},
		"the subject before where it stands": {
			"q": {"who": "off", "does": "user.edit", "user": "nobody", "from": "nowhere"},
			"told": "ALL-2/subject_inactive",
		},
		"where it stands before the place": {
			"q": {"who": "edna", "does": "user.edit", "user": "nobody", "at": "nowhere", "from": "ghi"},
			"told": "ALL-3/not_at_current_location",
		},
		"the place before the user": {
			"q": {"who": "edna", "does": "user.edit", "user": "nobody", "at": "nowhere"},
			"told": "ALL-4/unknown_location",
		},
		"the user before the power": {
			"q": {"who": "norm", "does": "user.edit", "user": "nobody"},
			"told": "ALL-5/unknown_user",
		},
		"oneself before the role": {
			"q": {"who": "norm", "does": "assignment.remove", "user": "norm", "at": "ghi"},
			"told": "ALL-9/self",
		},
		"the power before the records": {
			"q": {"who": "norm", "does": "user.edit", "user": "off"},
			"told": "REG-11/not_permitted",
		},
		"the place before the user's": {
			"q": {"who": "edna", "does": "default_location.change", "user": "sue", "at": "jkl"},
			"told": "REG-8/other_location",
		},
		"the power before the form": {
			"q": {"who": "dina", "does": "assignment.add", "user": "ed", "with": {"role": 1}},
			"told": "REG-5/not_permitted",
		},
	}
	answer(c.q) == {"allow": false, "reasons": [c.told]}
}

test_whole_denial_with_its_messages if {
	q := {"who": "regina", "does": "assignment.remove", "user": "sue", "at": "jkl"}
	decision := data.authz.decision with input as asked(world, q)
	decision == {
		"allow": false,
		"reasons": [
			{"code": "default_location", "rule": "REG-I3", "message": "This is the user's default location."},
			{"code": "only_location", "rule": "REG-I2", "message": "This is the user's only location."},
		],
		"advice": [
			{"code": "change_default_first", "rule": "REG-I3", "message": "Choose another default location first."},
			{"code": "deactivate_instead", "rule": "REG-I2", "message": "Deactivate the user instead."},
		],
	}
}

test_whole_denial_of_stage_2_with_its_messages if {
	q := {"who": "regina", "does": "assignment.remove", "user": "ed", "at": "ghi", "from": "south"}
	decision := data.authz.decision with input as asked(world, q)
	decision == {
		"allow": false,
		"reasons": [{
			"code": "other_location", "rule": "REG-10",
			"message": "This cannot be done for that location from where you are working.",
		}],
		"advice": [{
			"code": "switch_location", "rule": "ALL-11", "locations": ["ghi", "metro"],
			"message": "This can be done from another of your locations.",
		}],
	}
}

test_whole_denial_with_a_field if {
	q := {"who": "regina", "does": "assignment.add", "user": "ed", "at": "jkl", "with": {"role": null}}
	decision := data.authz.decision with input as asked(world, q)
	decision == {"allow": false, "reasons": [{
		"code": "missing_field", "field": "role", "rule": "REG-5",
		"message": "This field is missing or has the wrong form.",
	}]}
}

# Section 2: the model's own row comes before an ALL row, and else the later of two.
test_one_reason_is_named_by_the_most_specific_row[note] if {
	some note, c in {
		"an ALL row": {"rule": "ALL-8", "own": "REG-I4"},
		"an earlier row": {"rule": "REG-7", "own": "REG-I4"},
		"an ALL row after the model's": {"rule": "ALL-8", "own": "AID-4"},
	}
	actions := json.patch(data.authz.regional.actions, [{
		"op": "add", "path": "default_location.change/rules/-",
		"value": "assigned",
	}])
	rules := json.patch(data.authz.regional.rules, [
		{"op": "replace", "path": "assigned/rule", "value": c.rule},
		{"op": "replace", "path": "active_assignment/rule", "value": c.own},
	])
	decision := data.authz.decision with input as asked(world, {
		"who": "regina", "does": "default_location.change", "user": "sue",
		"from": "north",
	})
		with data.authz.regional.actions as actions
		with data.authz.regional.rules as rules
	[reason.rule | some reason in decision.reasons] == [c.own]
}
