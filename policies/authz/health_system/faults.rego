package authz.health_system

# METADATA
# title: What is wrong with the plans and ranks
# scope: document
faults contains sprintf("health_system plans: %s are not free and paid", [concat(", ", plans)]) if {
	plans := object.keys(data.authz.health_system.plans)
	plans != {"free", "paid"}
}

faults contains sprintf("health_system roles, %s, rank: %v is no number", [role, rank]) if {
	some role, entry in data.authz.health_system.roles
	rank := object.get(entry, "rank", "nothing")
	not is_number(rank)
}
