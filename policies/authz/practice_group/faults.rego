package authz.practice_group

# METADATA
# title: What is wrong with the levels of access
# scope: document
faults contains "practice_group levels: there is no area users, which administering users needs" if {
	not "users" in object.keys(data.authz.practice_group.levels[data.authz.practice_group.default_level])
}

faults contains sprintf("practice_group default_level: %v is no level", [data.authz.practice_group.default_level]) if {
	not data.authz.practice_group.levels[data.authz.practice_group.default_level]
}
