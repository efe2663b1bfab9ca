package authz.regional_test

import data.authz_test

# What matrix_test.rego asks about each cell of the matrix.

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

_places_and_users(row, standing, situation) := [["ghi", user] | some user in standing[situation]] if {
	row == "REG-3"
}

_places_and_users("REG-11", standing, situation) := [["ghi", standing[situation][0]]]
