package authz.filters_test

import data.authz_test

test_section_8_user_list_is_a_filter_of_the_question_for_a_list[note] if {
	some note, c in {
		"the list": {"does": "user.list", "row": "metro", "shown": true},
		"a row of another location": {"does": "user.list", "row": "north", "shown": false},
		"another question that is allowed": {"does": "location.switch", "row": "metro", "shown": false},
	}
	doc := authz_test.asked(authz_test.world, {"who": "regina", "does": c.does, "location": "metro"})
	shown(object.union(doc, {"users": {"covered_by": c.row}})) == c.shown
}

# METADATA
# title: Whether a row is in the list
default shown(_) := false

shown(doc) if data.authz.filters.user_list with input as doc
