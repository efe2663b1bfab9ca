package authz.practice_group_test

import data.authz_test

# The access table of 6.1, cell by cell. What is expected is written out here, and not read from the policy's table.
_areas := [
	"patient_records", "calendars", "invoices", "locations", "credit_settings", "reminder_settings", "users",
]

_access := {
	"full": ["yes", "yes", "yes", "yes", "yes", "yes", "no"],
	"standard": ["yes", "yes", "yes", "no", "no", "no", "no"],
	"limited": ["no", "yes", "no", "no", "no", "no", "no"],
	"none recorded": ["no", "yes", "no", "no", "no", "no", "no"],
	"no level recorded": ["no", "yes", "no", "no", "no", "no", "no"],
	"full, all switched off": ["no", "no", "no", "no", "no", "no", "no"],
	"limited, all switched on": ["yes", "yes", "yes", "yes", "yes", "yes", "yes"],
	"no level, one switched on": ["no", "yes", "yes", "no", "no", "no", "no"],
	"standard, one switched on and one off": ["yes", "no", "yes", "no", "yes", "no", "no"],
	"owner": ["yes", "yes", "yes", "yes", "yes", "yes", "yes"],
	"owner, whatever the record says": ["yes", "yes", "yes", "yes", "yes", "yes", "yes"],
}

_members := {
	"full": _member("practitioner", {"level": "full"}),
	"standard": _member("practitioner", {"level": "standard", "areas": {}}),
	"limited": _member("administrator", {"level": "limited"}),
	"none recorded": {"assignments": {"smile": "administrator", "smile-a": "administrator"}},
	"no level recorded": _member("administrator", {"areas": {}}),
	"full, all switched off": _member("administrator", {"level": "full", "areas": {area: false | some area in _areas}}),
	"limited, all switched on": _member("administrator", {
		"level": "limited", "areas": {area: true | some area in _areas},
	}),
	"no level, one switched on": _member("practitioner", {"areas": {"invoices": true}}),
	"standard, one switched on and one off": _member("practitioner", {
		"level": "standard",
		"areas": {"credit_settings": true, "calendars": false},
	}),
	"owner": {"assignments": {"smile": "owner"}},
	"owner, whatever the record says": {"assignments": {"smile": {
		"role": "owner",
		"access": {"level": "limited", "areas": {area: false | some area in _areas}},
	}}},
}

_member(role, access) := {"assignments": {"smile": {"role": role, "access": access}, "smile-a": role}}

_directory := object.union(authz_test.world, {"users": _members})

_area_answer("yes", _) := {"allow": true}

_area_answer("no", area) := {"allow": false, "reasons": [sprintf("PRA-10/area_required area=%s", [area])]}

test_pra_10_access_table[note] if {
	some note, cells in _access
	count(cells) == count(_areas)
	every i, cell in cells {
		q := {"who": note, "does": "area.access", "location": "smile-a", "from": "smile", "with": {"area": _areas[i]}}
		authz_test.answer_in(_directory, q) == _area_answer(cell, _areas[i])
	}
}

test_pra_10_area_that_the_table_does_not_know_is_nobodys[note] if {
	some note, area in {"unknown": "laboratory", "a level": "full", "another case": "Invoices"}
	directory := object.union(_directory, {
		"users": {"full": {"assignments": {"smile": {"access": {"areas": {area: true}}}}}},
	})
	every who in ["owner", "full", "limited, all switched on"] {
		q := {"who": who, "does": "area.access", "location": "smile-a", "from": "smile", "with": {"area": area}}
		authz_test.answer_in(directory, q) == _area_answer("no", area)
	}
}

test_pra_10_practice_that_one_is_assigned_to_or_reaches[note] if {
	refused := {"allow": false, "reasons": ["PRA-10/not_assigned"]}
	some note, c in {
		"one's practice": {"who": "pia", "location": "smile-a", "from": "smile", "want": {"allow": true}},
		"from it": {"who": "pia", "location": "smile-a", "from": "smile-a", "want": {"allow": true}},
		"another": {"who": "pia", "location": "smile-b", "from": "smile", "want": refused},
		"the group is no practice": {"who": "pia", "location": "smile", "from": "smile", "want": refused},
		"nor to an owner": {"who": "olga", "location": "smile", "from": "smile", "want": refused},
		"an owner reaches all": {"who": "olga", "location": "smile-b", "from": "smile", "want": {"allow": true}},
		"of another group": {
			"who": "duo", "location": "derma-a", "from": "smile",
			"want": {"allow": false, "reasons": ["PRA-11/other_organization"]},
		},
	}
	q := object.union(c, {"does": "area.access", "with": {"area": "calendars"}})
	authz_test.answer(q) == c.want
}

test_pra_10_practice_is_judged_before_the_area[note] if {
	some note, c in {
		"not assigned and without the area": {
			"location": "smile-b", "with": {"area": "users"}, "told": "PRA-10/not_assigned",
		},
		"not assigned and no area": {"location": "smile-b", "told": "PRA-10/not_assigned"},
		"no area": {"location": "smile-a", "told": "PRA-10/missing_field field=area"},
		"an empty one": {"location": "smile-a", "with": {"area": ""}, "told": "PRA-10/missing_field field=area"},
		"one that is no text": {
			"location": "smile-a", "with": {"area": ["calendars"]}, "told": "PRA-10/missing_field field=area",
		},
	}
	q := object.union(c, {"who": "pia", "does": "area.access", "from": "smile"})
	authz_test.answer(q) == {"allow": false, "reasons": [c.told]}
}

test_pra_10_inactive_practice_gives_nothing if {
	directory := object.union(authz_test.world, {"users": {"pia": {"assignments": {
		"smile-a": {"role": "practitioner", "status": "deactivated"},
	}}}})
	q := {"who": "pia", "does": "area.access", "location": "smile-a", "from": "smile", "with": {"area": "calendars"}}
	authz_test.answer_in(directory, q) == {"allow": false, "reasons": ["PRA-10/not_assigned"]}
}
