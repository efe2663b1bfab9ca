package authz.practice_group

# METADATA
# title: What is wrong with the levels of access
# scope: document
faults contains sprintf("practice_group levels, %s, area %s: %v is neither true nor false", [level, area, on]) if {
	some level, areas in data.authz.practice_group.levels
	some area, on in areas
	not is_boolean(on)
}

faults contains sprintf("practice_group levels, %s, area %s: there is no cell", [level, area]) if {
	some level, areas in data.authz.practice_group.levels
	some other in data.authz.practice_group.levels
	some area, _ in other
	not area in object.keys(areas)
}

faults contains "practice_group levels: there is no area users, which administering users needs" if {
	not "users" in object.keys(data.authz.practice_group.levels[data.authz.practice_group.default_level])
}

faults contains sprintf("practice_group default_level: %v is no level", [data.authz.practice_group.default_level]) if {
	not data.authz.practice_group.levels[data.authz.practice_group.default_level]
}
