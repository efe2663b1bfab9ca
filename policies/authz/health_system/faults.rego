package authz.health_system

# METADATA
# title: What is wrong with the plans and ranks
# scope: document
faults contains sprintf("health_system plans, %s, system_features: %v is neither true nor false", [plan, value]) if {
	some plan, entry in data.authz.health_system.plans
	value := object.get(entry, "system_features", "nothing")
	not is_boolean(value)
}

faults contains sprintf("health_system plans: there is no plan %s", [plan]) if {
	some plan in ["free", "paid"]
	not data.authz.health_system.plans[plan]
}

faults contains sprintf("health_system plans, %s: an organization has plan free or paid", [plan]) if {
	some plan, _ in data.authz.health_system.plans
	not plan in {"free", "paid"}
}

faults contains sprintf("health_system roles, %s, rank: %v is no number", [role, rank]) if {
	some role, entry in data.authz.health_system.roles
	rank := object.get(entry, "rank", "nothing")
	not is_number(rank)
}
