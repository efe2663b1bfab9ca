package authz.regional_test

import data.authz_test

# The matrix of 4.2, cell by cell. What is expected is written out here, and not read from the policy's table.

# Row, column, situation: "yes", or the rule and the code of the denial. `here` is the current location, `beneath` and
# `elsewhere` are other places; `covered` and `uncovered` are users, asked about at every place.
_table := {
	"REG-1": {
		"region": {"here": "yes"},
		"region_in_division": {"region": "REG-1/not_permitted"},
		"division": {"region": "REG-1/not_permitted"},
		"none": {"region": "REG-1/not_permitted"},
		"both": {"region": "REG-1/not_permitted"},
	},
	"REG-2": {
		"region": {"beneath": "yes"},
		"region_in_division": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
		"division": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
		"none": {"here": "REG-2/not_permitted", "beneath": "REG-2/not_permitted", "elsewhere": "REG-2/not_permitted"},
		"both": {"here": "yes", "beneath": "yes", "elsewhere": "REG-2/other_location"},
	},
	"REG-3": {
		"region": {"covered": "yes"},
		"region_in_division": {"covered": "yes", "uncovered": "yes"},
		"division": {"covered": "yes", "uncovered": "REG-4/not_assigned_here"},
		"none": {"covered": "REG-3/not_permitted", "uncovered": "REG-3/not_permitted"},
		"both": {"covered": "yes", "uncovered": "yes"},
	},
	"REG-5": {
		"region": {"here": "yes", "beneath": "yes"},
		"region_in_division": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"division": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"none": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
		"both": {
			"here": "REG-5/not_permitted", "beneath": "REG-5/not_permitted",
			"elsewhere": "REG-5/not_permitted", "region": "REG-5/not_permitted",
		},
	},
	"REG-6 role": {
		"region_in_division": {"here": "yes"},
		"division": {"here": "yes"},
		"none": {"here": "REG-6/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-6 location": {
		"region": {"here": "yes"},
		"region_in_division": {"here": "yes"},
		"division": {"here": "REG-6/location_edit_not_permitted"},
		"none": {"here": "REG-6/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-7 role": {
		"region": {"beneath": "yes"},
		"region_in_division": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
		"division": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
		"none": {"beneath": "REG-7/not_permitted", "elsewhere": "REG-7/not_permitted"},
		"both": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location"},
	},
	"REG-7 location": {
		"region": {"beneath": "yes"},
		"region_in_division": {
			"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location",
		},
		"division": {
			"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location",
		},
		"none": {"beneath": "REG-7/not_permitted", "elsewhere": "REG-7/not_permitted", "region": "REG-7/not_permitted"},
		"both": {"beneath": "REG-7/other_location", "elsewhere": "REG-7/other_location", "region": "REG-7/other_location"},
	},
	"REG-8": {
		"region": {"here": "yes", "beneath": "yes"},
		"region_in_division": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
		"division": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
		"none": {
			"here": "REG-8/not_permitted", "beneath": "REG-8/not_permitted",
			"elsewhere": "REG-8/not_permitted", "region": "REG-8/not_permitted",
		},
		"both": {
			"here": "yes", "beneath": "REG-8/other_location",
			"elsewhere": "REG-8/other_location", "region": "REG-8/other_location",
		},
	},
	"REG-9": {
		"region": {"here": "yes"},
		"region_in_division": {"here": "yes"},
		"division": {"here": "REG-9/not_permitted"},
		"none": {"here": "REG-9/not_permitted"},
		"both": {"here": "yes"},
	},
	"REG-10": {
		"region": {"beneath": "yes"},
		"region_in_division": {
			"beneath": "REG-10/other_location", "elsewhere": "REG-10/other_location", "region": "REG-10/other_location",
		},
		"division": {
			"beneath": "REG-10/not_permitted", "elsewhere": "REG-10/not_permitted", "region": "REG-10/not_permitted",
		},
		"none": {"beneath": "REG-10/not_permitted", "elsewhere": "REG-10/not_permitted", "region": "REG-10/not_permitted"},
		"both": {"beneath": "REG-10/other_location", "elsewhere": "REG-10/other_location", "region": "REG-10/other_location"},
	},
	"REG-11": {
		"region": {"covered": "yes"},
		"region_in_division": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
		"division": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
		"none": {"covered": "REG-11/not_permitted", "uncovered": "REG-11/not_permitted"},
		"both": {"covered": "yes", "uncovered": "REG-11/not_assigned_here"},
	},
}

# Who stands where in which column, and which places and users are in which situation from there.
_standings := {
	"region": [{
		"who": "regina", "from": "metro", "here": ["metro"], "beneath": ["north", "abc", "jkl"],
		"covered": ["everywhere", "farther", "metro only"],
	}],
	"region_in_division": [_from_division("regina"), _from_facility("regina")],
	"division": [
		_from_division("dina"), _from_division("hal"),
		_from_facility("dina"), _from_facility("hal"), _from_facility("edna"),
	],
	"none": [_from_division("pat"), _from_facility("norm")],
	"both": [_from_division("una"), _from_facility("una")],
}

_from_division(who) := {
	"who": who, "from": "north",
	"here": ["north"], "beneath": ["abc", "ghi"], "elsewhere": ["south", "jkl"], "region": ["metro"],
	"covered": ["everywhere", "nearby"], "uncovered": ["farther", "metro only"],
}

_from_facility(who) := {
	"who": who, "from": "abc",
	"here": ["abc"], "beneath": [], "elsewhere": ["north", "ghi", "jkl"], "region": ["metro"],
	"covered": ["everywhere", "there"], "uncovered": ["farther", "nearby", "metro only"],
}

# Users of the right records, so that no membership rule stands in the way.
_directory := object.union(authz_test.world, {
	"locations": {"home": {"kind": "facility", "parent": "south"}, "annex": {"kind": "facility", "parent": "south"}},
	"users": object.union(_people, {concat(" ", ["deactivated", name]): object.union(user, {"status": "deactivated"}) |
		some name, user in _people
	}),
})

_people := {
	"everywhere": {"default_location": "home", "assignments": {
		"metro": "regional_admin", "north": "public_health_admin", "south": "public_health_admin",
		"abc": "ed_normal", "ghi": "ed_normal", "jkl": "ed_normal", "home": "ed_normal",
	}},
	"nearby": {"default_location": "ghi", "assignments": {"ghi": "ed_normal"}},
	"there": {"default_location": "abc", "assignments": {"abc": "ed_normal"}},
	"farther": {"default_location": "home", "assignments": {"home": "ed_normal"}},
	"metro only": {"default_location": "metro", "assignments": {"metro": "regional_admin"}},
}

_others_role := {
	"metro": "regional_admin", "north": "public_health", "south": "public_health",
	"abc": "ed_admin", "ghi": "ed_admin", "jkl": "ed_admin",
}

# What is asked for a row, in a situation.
_questions("REG-1", place, _) := [{"does": "user.list", "location": place}]

_questions("REG-2", place, _) := [{"does": "user.list", "location": place}]

_questions("REG-3", place, user) := [{"does": "user.view_locations", "user": user, "at": place}]

_questions("REG-5", place, _) := [{
	"does": "assignment.add", "user": "farther", "at": place,
	"with": {"role": _others_role[place]},
}]

_questions(row, place, _) := [{
	"does": "assignment.edit", "user": "everywhere", "at": place,
	"with": {"new_role": _others_role[place]},
}] if {
	row in {"REG-6 role", "REG-7 role"}
}

_questions(row, place, _) := [{
	"does": "assignment.edit", "user": "everywhere", "at": place,
	"with": {"new_location": "annex", "new_role": "ed_normal"},
}] if {
	row in {"REG-6 location", "REG-7 location"}
}

_questions("REG-8", place, _) := [{"does": "default_location.change", "user": "everywhere", "at": place}]

_questions(row, place, _) := [{"does": "assignment.remove", "user": "everywhere", "at": place}] if {
	row in {"REG-9", "REG-10"}
}

_questions("REG-11", place, user) := array.concat(
	[{"does": action, "user": user, "at": place} |
		some action in ["user.view", "user.edit", "user.reset_password", "user.deactivate"]
	],
	[
		{"does": "user.reactivate", "user": concat(" ", ["deactivated", user]), "at": place},
		{"does": "user.view", "user": concat(" ", ["deactivated", user]), "at": place},
	],
)

_about_users := {"REG-3", "REG-11"}

_asked[row] := {note: {"want": want, "questions": questions} |
	some column, situations in _table[row]
	some standing in _standings[column]
	some situation, want in situations
	note := sprintf("%s: %s from %s, %s", [column, standing.who, standing.from, situation])
	questions := [object.union(q, {"who": standing.who, "from": standing.from}) |
		some [place, user] in _places_and_users(row, standing, situation)
		some q in _questions(row, place, user)
	]
	count(questions) > 0
} if {
	some row, _ in _table
}

_places_and_users(row, standing, situation) := [[place, ""] | some place in standing[situation]] if {
	not row in _about_users
}

_places_and_users(row, standing, situation) := [[place, user] |
	some user in standing[situation]
	some place in ["metro", "ghi"]
] if {
	row in _about_users
}

# Every question of a cell has the same answer, whatever comes with it.
_holds(cell) if {
	count(cell.questions) > 0
	every q in cell.questions {
		told := authz_test.answer_in(_directory, q)
		object.remove(told, ["advice", "obligations"]) == _decision(cell.want)
	}
}

_decision("yes") := {"allow": true}

_decision(told) := {"allow": false, "reasons": [told]} if told != "yes"

test_reg_1_view_all_users_in_the_region[note] if {
	some note, cell in _asked["REG-1"]
	_holds(cell)
}

test_reg_2_view_all_users_in_a_division_or_facility[note] if {
	some note, cell in _asked["REG-2"]
	_holds(cell)
}

test_reg_3_view_the_other_locations_of_a_user[note] if {
	some note, cell in _asked["REG-3"]
	_holds(cell)
}

test_reg_5_add_a_location_and_role[note] if {
	some note, cell in _asked["REG-5"]
	_holds(cell)
}

test_reg_6_edit_the_role_here[note] if {
	some note, cell in _asked["REG-6 role"]
	_holds(cell)
}

test_reg_6_edit_the_location_here[note] if {
	some note, cell in _asked["REG-6 location"]
	_holds(cell)
}

test_reg_7_edit_the_role_elsewhere[note] if {
	some note, cell in _asked["REG-7 role"]
	_holds(cell)
}

test_reg_7_edit_the_location_elsewhere[note] if {
	some note, cell in _asked["REG-7 location"]
	_holds(cell)
}

test_reg_8_change_the_default_location[note] if {
	some note, cell in _asked["REG-8"]
	_holds(cell)
}

test_reg_9_delete_a_location_here[note] if {
	some note, cell in _asked["REG-9"]
	_holds(cell)
}

test_reg_10_delete_other_locations[note] if {
	some note, cell in _asked["REG-10"]
	_holds(cell)
}

test_reg_11_look_at_edit_and_deactivate_users[note] if {
	some note, cell in _asked["REG-11"]
	_holds(cell)
}

# No cell is left out: so many standings and situations were asked about in each row.
test_matrix_is_whole if {
	{row: count(cells) | some row, cells in _asked} == {
		"REG-1": 12, "REG-2": 28, "REG-3": 23, "REG-5": 40, "REG-6 role": 11, "REG-6 location": 12,
		"REG-7 role": 17, "REG-7 location": 28, "REG-8": 40, "REG-9": 12, "REG-10": 28, "REG-11": 23,
	}
}
