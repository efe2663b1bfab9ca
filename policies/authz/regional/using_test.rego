package authz.regional_test

import data.authz_test

# Using the system (4.5): nobody has to stand anywhere.

test_reg_20_switching_to_ones_locations_and_beneath_a_role_that_reaches_down[note] if {
	some note, c in {
		"a region": {"who": "regina", "reaches": {"metro", "north", "south", "abc", "ghi", "jkl", "mno"}},
		"a division": {"who": "dina", "reaches": {"north", "abc", "ghi"}},
		"public health administration": {"who": "hal", "reaches": {"north", "abc", "ghi"}},
		"public health": {"who": "pat", "reaches": {"north"}},
		"a facility": {"who": "edna", "reaches": {"abc"}},
		"two facilities": {"who": "ed", "reaches": {"abc", "ghi"}},
		"of two regions": {"who": "mixed", "reaches": {"abc", "pier"}},
		"somebody else's": {"who": "hugo", "reaches": set()},
	}
	every location in ["metro", "north", "south", "abc", "ghi", "jkl", "mno", "coast", "bay", "pier"] {
		told := authz_test.answer({"who": c.who, "does": "location.switch", "location": location})
		told == _if(location in c.reaches, "REG-20/not_assigned")
	}
}

_if(true, _) := {"allow": true}

_if(false, told) := {"allow": false, "reasons": [told]}

test_reg_21_patients_of_the_facilities_one_covers[note] if {
	some note, c in {
		"here": {"who": "norm", "seen": ["abc"], "allow": true},
		"one of several": {"who": "norm", "seen": ["mno", "abc"], "allow": true},
		"elsewhere": {"who": "norm", "seen": ["ghi"], "allow": false},
		"of a division": {"who": "dina", "seen": ["ghi"], "allow": true},
		"of a region": {"who": "regina", "seen": ["mno"], "allow": true},
		"of another region": {"who": "regina", "seen": ["pier"], "allow": false},
		"of another division": {"who": "dina", "seen": ["mno"], "allow": false},
		"public health does not see patients": {"who": "pat", "seen": ["abc"], "allow": false},
		"nor do its administrators": {"who": "hal", "seen": ["abc", "ghi"], "allow": false},
		"any known location counts": {"who": "dina", "seen": ["north"], "allow": true},
		"but not one above": {"who": "edna", "seen": ["north"], "allow": false},
		"an unknown one counts for nothing": {"who": "norm", "seen": ["nowhere"], "allow": false},
		"and takes nothing away": {"who": "norm", "seen": ["nowhere", "abc"], "allow": true},
		"none": {"who": "regina", "seen": [], "allow": false},
		"not a list": {"who": "norm", "seen": "abc", "allow": false},
		"not a list of texts": {"who": "norm", "seen": [["abc"]], "allow": false},
		"null": {"who": "norm", "seen": null, "allow": false},
		"of either region": {"who": "mixed", "seen": ["pier"], "allow": true},
		"an assignment of another model": {"who": "hugo", "seen": ["mercy"], "allow": false},
		"by an owner of a group": {"who": "olga", "seen": ["smile-a"], "allow": false},
	}
	told := authz_test.answer({"who": c.who, "does": "patient.view", "patient": "p", "seen": c.seen})
	told == _if(c.allow, "REG-21/no_patient_access")
}

test_reg_21_without_locations_nobody_sees_a_patient if {
	authz_test.answer({"who": "regina", "does": "patient.view", "patient": "p"}) == _if(false, "REG-21/no_patient_access")
}

# Whatever facts come with the question.
test_reg_21_only_a_list_of_locations_of_a_patient_is_looked_at if {
	doc := authz_test.asked(authz_test.world, {"who": "norm", "does": "patient.view", "patient": "p", "seen": ["abc"]})
	authz_test.answer_to(doc) == {"allow": true}
	object_of_them := [{"op": "replace", "path": "resource/properties/locations", "value": {"first": "abc"}}]
	authz_test.answer_to(json.patch(doc, object_of_them)) == _if(false, "REG-21/no_patient_access")
	another_action := [{"op": "replace", "path": "action/name", "value": "incident.view"}]
	authz_test.answer_to(json.patch(doc, another_action)) == _if(false, "ALL-1/unknown_action")
}

test_reg_21_inactive_assignment_gives_nothing if {
	directory := object.union(authz_test.world, {"users": {"norm": {"assignments": {
		"abc": {"role": "ed_normal", "status": "deactivated"},
	}}}})
	q := {"who": "norm", "does": "patient.view", "patient": "p", "seen": ["abc"]}
	authz_test.answer_in(directory, q) == _if(false, "REG-21/no_patient_access")
}

test_reg_22_incidents_and_summaries_above_and_beneath_ones_locations[note] if {
	some note, c in {
		"a region": {"who": "regina", "sees": {"metro", "north", "south", "abc", "ghi", "jkl", "mno"}},
		"a division": {"who": "dina", "sees": {"metro", "north", "abc", "ghi"}},
		"public health": {"who": "pat", "sees": {"metro", "north", "abc", "ghi"}},
		"a facility": {"who": "norm", "sees": {"metro", "north", "abc"}},
		"two divisions": {"who": "roam", "sees": {"metro", "north", "south", "ghi", "jkl"}},
		"two regions": {"who": "mixed", "sees": {"metro", "north", "abc", "coast", "bay", "pier"}},
		"somebody else's": {"who": "hugo", "sees": set()},
	}
	every location in ["metro", "north", "south", "abc", "ghi", "jkl", "mno", "coast", "bay", "pier"] {
		every action in ["incident.view", "summary.view"] {
			told := authz_test.answer({"who": c.who, "does": action, "location": location})
			told == _if(location in c.sees, "REG-22/not_assigned")
		}
	}
}
