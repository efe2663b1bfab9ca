# METADATA
# title: Conditions on the rows of applications' own tables
# description: |
#   Each rule is asked for by POST /v1/compile/authz/filters/NAME. It holds for a row or not. The engine turns it into a
#   condition, so it may compare columns with what is known, and do nothing else with them.
package authz.filters

import data.authz

# METADATA
# title: The users whom the administrator sees in the list of a location (section 8)
# description: |
#   Asked with user.list on that location. A row of `users` is a user and a location that covers one of the user's
#   assignments: the user's own locations and all above them.
# scope: document
# compile:
#   unknowns: [input.users]
user_list if {
	input.action.name == "user.list"
	authz.allow
	input.users.covered_by == input.facts.place.id
}
