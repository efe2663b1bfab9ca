# METADATA
# title: The vendor model (policies/DOMAIN.md SYS-11)
# description: What `at` and `place` are is said in models.rego.
package authz.vendor

import data.authz.question

# METADATA
# title: SYS-11, the vendor's staff alone
power(at, _) if {
	input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}
	data.authz.vendor.roles[at.held[at.id]].creates_entities
}

# METADATA
# title: Why the power is missing
refusal(_, _) := {"code": "vendor_only", "rule": "SYS-11"}

# METADATA
# title: SYS-11, no location has the id
met("new_location", _, place) if {
	place.id == input.resource.id
	not place.kind
}

# METADATA
# title: SYS-11, the location is an entity
met("entity_known", _, place) if place.kind == "entity"

# METADATA
# title: SYS-11, the system is one
met("system_known", _, _) if _system.kind == "system"

# METADATA
# title: SYS-11, a system that is not named breaks no rule about it
met("system_known", _, _) if not question.text("system")

# METADATA
# title: SYS-11, the entity stands alone
met("not_associated", _, place) if place.organization == place.id

# METADATA
# title: SYS-11, the entity belongs to a system
met("associated", _, place) if place.organization != place.id

# METADATA
# title: SYS-11, what is no entity breaks no rule about one
met(rule, _, place) if {
	rule in {"not_associated", "associated"}
	not place.kind == "entity"
}

# METADATA
# title: SYS-11, the plan of the system is paid
met("system_in_plan", _, _) if _system.plan == "paid"

# METADATA
# title: SYS-11, what is no system breaks no rule about one
met("system_in_plan", _, _) if not _system.kind == "system"

_system := input.facts.locations[question.text("system")]
