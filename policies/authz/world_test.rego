# The directory of the tests: an organization of each model and another of its like; each person is one case.
package authz_test

# METADATA
# title: The locations and the users
world := {"locations": _locations, "users": object.union_n([_regional, _health, _practice, _others])}

_locations := {
	# A region, and another that is none of its business.
	"metro": {"kind": "region", "model": "regional"},
	"north": {"kind": "division", "parent": "metro"},
	"abc": {"kind": "facility", "parent": "north"},
	"ghi": {"kind": "facility", "parent": "north"},
	"south": {"kind": "division", "parent": "metro"},
	"jkl": {"kind": "facility", "parent": "south"},
	"mno": {"kind": "facility", "parent": "south"},
	"coast": {"kind": "region", "model": "regional"},
	"bay": {"kind": "division", "parent": "coast"},
	"pier": {"kind": "facility", "parent": "bay"},
	# Health systems on either plan, and entities that stand alone.
	"sisters": {"kind": "system", "model": "health_system", "plan": "paid"},
	"mercy": {"kind": "entity", "parent": "sisters"},
	"grace": {"kind": "entity", "parent": "sisters"},
	"hope": {"kind": "entity", "parent": "sisters"},
	"plain": {"kind": "system", "model": "health_system", "plan": "free"},
	"oak": {"kind": "entity", "parent": "plain"},
	"elm": {"kind": "entity", "parent": "plain"},
	"solo": {"kind": "entity", "model": "health_system", "plan": "free"},
	# Groups of practices.
	"smile": {"kind": "group", "model": "practice_group"},
	"smile-a": {"kind": "practice", "parent": "smile"},
	"smile-b": {"kind": "practice", "parent": "smile"},
	"derma": {"kind": "group", "model": "practice_group"},
	"derma-a": {"kind": "practice", "parent": "derma"},
	# The vendor.
	"acme": {"kind": "vendor", "model": "vendor"},
}

_regional := {
	# Whoever may administer.
	"regina": {"default_location": "metro", "assignments": {"metro": "regional_admin"}},
	"dina": {"default_location": "north", "assignments": {"north": "division_admin"}},
	"hal": {"default_location": "north", "assignments": {"north": "public_health_admin"}},
	"edna": {"default_location": "abc", "assignments": {"abc": "ed_admin"}},
	"una": {"default_location": "metro", "assignments": {"metro": "regional_admin", "north": "division_admin"}},
	"cora": {"default_location": "coast", "assignments": {"coast": "regional_admin"}},
	# Whoever may not.
	"pat": {"default_location": "north", "assignments": {"north": "public_health"}},
	"norm": {"default_location": "abc", "assignments": {"abc": "ed_normal"}},
	# Whoever is administered.
	"ed": {"default_location": "abc", "assignments": {"abc": "ed_normal", "ghi": "ed_admin"}},
	"roam": {"default_location": "ghi", "assignments": {"ghi": "ed_normal", "jkl": "ed_normal"}},
	"sue": {"default_location": "jkl", "assignments": {"jkl": "ed_normal"}},
	"off": {"status": "deactivated", "default_location": "abc", "assignments": {"abc": "ed_normal", "ghi": "ed_normal"}},
	"mixed": {"default_location": "abc", "assignments": {"abc": "ed_admin", "pier": "ed_admin", "mercy": "user"}},
}

_health := {
	"sam": {"assignments": {"sisters": "system_admin"}},
	"erin": {"assignments": {"sisters": "entity_admin"}},
	"hanna": {"assignments": {"mercy": "entity_admin", "grace": "user"}},
	"hugo": {"username": "Hugo@example.org", "assignments": {"mercy": "user"}},
	"greta": {
		"username": "greta@example.org", "assignments": {"mercy": "user", "grace": "user", "sisters": "entity_admin"},
	},
	"faye": {"username": "faye@example.org", "assignments": {"grace": "user"}},
	"drew": {"status": "deactivated", "assignments": {"mercy": "user"}},
	# On the free plan.
	"olaf": {"assignments": {"plain": "system_admin", "oak": "user"}},
	"oona": {"assignments": {"oak": "entity_admin"}},
	"otto": {"assignments": {"oak": "user"}},
	"emil": {"assignments": {"elm": "user"}},
	"pete": {"assignments": {"plain": "entity_admin"}},
	"sol": {"assignments": {"solo": "entity_admin"}},
}

_practice := {
	"olga": {"assignments": {"smile": "owner"}},
	"oscar": {"username": "oscar@example.org", "assignments": {"smile": "owner", "smile-a": "owner"}},
	"ursula": {"assignments": {
		"smile": {"role": "administrator", "access": {"level": "standard", "areas": {"users": true}}},
		"smile-a": "administrator",
	}},
	"pia": {"username": "Pia@example.org", "assignments": {
		"smile": {"role": "practitioner", "access": {"level": "full", "areas": {}}},
		"smile-a": "practitioner",
	}},
	"paul": {"assignments": {"smile": "practitioner", "smile-b": "practitioner"}},
	"switched": {"assignments": {
		"smile": {"role": "administrator", "access": {"level": "full", "areas": {"invoices": false, "calendars": true}}},
		"smile-a": "administrator",
	}},
	"ivo": {"username": "ivo@example.org", "assignments": {"smile": {"role": "practitioner", "status": "invited"}}},
	"dora": {"username": "dora@example.org", "assignments": {
		"smile": {"role": "administrator", "status": "deactivated", "access": {"level": "full", "areas": {"users": true}}},
		"smile-a": "administrator",
	}},
	"desmond": {
		"status": "deactivated", "username": "desmond@example.org",
		"assignments": {"smile": "practitioner", "smile-a": "practitioner"},
	},
	"duo": {"username": "duo@example.org", "assignments": {"smile": "practitioner", "derma": "owner"}},
	"derek": {"username": "derek@example.org", "assignments": {"derma": "owner"}},
}

_others := {
	"vera": {"assignments": {"acme": "vendor_staff"}},
	"victor": {"assignments": {"acme": "vendor_staff", "sisters": "system_admin"}},
	"nora": {"username": "nora@example.org", "assignments": {}},
}
