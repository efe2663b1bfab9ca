# METADATA
# title: What the tests ask with
# description: |
#   A question in a few words, and the facts that the engine would put beside it (pdp/gather.go), joined here from a
#   small directory, so that a test reads like the specification: a directory, a question, the decision.
#
#   A question has `who` asks and what it `does`; to which `user`, `location` or `patient`; `at` which place and `from`
#   where the person stands; `with` which action properties; and whatever else the `context` says.
package authz_test

# METADATA
# title: The whole decision in the words of the tests
answer(q) := answer_in(world, q)

# METADATA
# title: The decision in another directory
answer_in(directory, q) := answer_to(asked(directory, q))

# METADATA
# title: The decision on a ready input
answer_to(doc) := brief(decision) if decision := data.authz.decision with input as doc

# METADATA
# title: A decision without its messages, each entry in a line
brief(decision) := object.union(
	{"allow": decision.allow},
	{list: [_line(entry) | some entry in decision[list]] | some list, _ in decision; list != "allow"},
)

# RULE/code with whatever is said besides; every reason and advice has a message.
_line(entry) := concat(" ", array.concat([sprintf("%s/%s", [entry.rule, entry.code])], _more(entry))) if {
	is_string(entry.message)
	entry.message != ""
}

# ID and type of an obligation with its properties; a notification has a body.
_line(entry) := concat(" ", array.concat([entry.id, entry.type], _more(entry.properties))) if _has_body(entry)

_has_body(entry) if entry.type != "notification"

_has_body(entry) if entry.properties.body != ""

_more(entry) := [sprintf("%s=%v", [key, value]) |
	some key, value in entry
	not key in {"code", "rule", "message", "body"}
]

# METADATA
# title: The input of the policies
asked(directory, q) := object.union(question(q), {"facts": facts(directory, q)})

# METADATA
# title: The question as AuthZEN words it
question(q) := object.union_n([
	{"subject": {"type": "user", "id": q.who}, "action": {"name": q.does}, "resource": _resource(q)},
	{"action": {"properties": properties | some properties in [q["with"]]}},
	{"context": object.union({"current_location": from | some from in [q.from]}, object.get(q, "context", {}))},
])

_resource(q) := {"type": "location", "id": q.location}

_resource(q) := {"type": "patient", "id": q.patient, "properties": {"locations": seen | some seen in [q.seen]}}

_resource(q) := {"type": "user", "id": q.user, "properties": {"location": at | some at in [q.at]}}

# METADATA
# title: The facts beside a question
facts(directory, q) := object.union_n([
	_model_of(directory, q),
	{"subject": fact | some fact in [account(directory, q.who, _organization(directory, q))]},
	{"current": fact | some fact in [_current(directory, q)]},
	{"place": fact | some fact in [_place(directory, q)]},
	{"target": fact | some fact in [_known(directory, q["with"].new_location)]},
	_named_locations(directory, q),
	_facilities(directory, q),
	{"user": fact | some fact in [_user(directory, q)]},
	_namesake(directory, q),
	_folded(directory, q),
	{"standings": fact | some fact in [_standings(directory, q)]},
])

# The actions that need no standing.
_nowhere := {
	"location.switch", "patient.view", "incident.view", "summary.view", "invitation.accept", "invitation.reject",
}

_needs_standing(q) if not q.does in _nowhere

_current_id(_, q) := q.from

_current_id(directory, q) := only if {
	not q.from
	active := [location | some location, _ in held(directory, q.who)]
	count(active) == 1
	only := active[0]
}

_current(directory, q) := _standing(directory, q.who, _current_id(directory, q)) if _needs_standing(q)

_standing(directory, _, id) := {"id": id} if not directory.locations[id]

_standing(directory, who, id) := place(directory, id) if {
	directory.locations[id]
	not directory.users[who]
}

_standing(directory, who, id) := standing(directory, who, id) if {
	directory.locations[id]
	directory.users[who]
}

_place_id(q) := q.location

_place_id(q) := q.at

_place(directory, q) := _known(directory, _place_id(q))

_place(directory, q) := place(directory, _current_id(directory, q)) if {
	not _place_id(q)
	_needs_standing(q)
}

_known(directory, id) := {"id": id} if not directory.locations[id]

_known(directory, id) := place(directory, id)

# Where the question is judged: for what needs no standing, its place.
_judged_at(directory, q) := _current_id(directory, q) if _needs_standing(q)

_judged_at(_, q) := _place_id(q) if {
	q.does in _nowhere
	q.does != "patient.view"
}

default _organization(_, _) := ""

_organization(directory, q) := place(directory, _judged_at(directory, q)).organization

default _model_of(_, _) := {}

_model_of(_, q) := {"model": "regional"} if q.does == "patient.view"

_model_of(directory, q) := {
	"model": judged.model,
	"organization": {"id": judged.organization},
} if {
	q.does != "patient.view"
	judged := place(directory, _judged_at(directory, q))
}

default _named_locations(_, _) := {}

_named_locations(directory, q) := {
	"locations": {id: place(directory, id) | some id in named; directory.locations[id]},
} if {
	named := array.flatten([
		_texts(object.get(q, ["with", "locations"], [])),
		[system | some system in [q["with"].system]],
	])
	count(named) > 0
}

default _facilities(_, _) := {}

_facilities(directory, q) := {"facilities": {id: place(directory, id) | some id in seen; directory.locations[id]}} if {
	seen := _texts(object.get(q, "seen", []))
	count(seen) > 0
}

default _texts(_) := []

_texts(list) := list if {
	is_array(list)
	every element in list {
		is_string(element)
	}
}

# An id comes before a username.
_account_id(directory, q) := q.user if directory.users[q.user]

_account_id(directory, q) := id if {
	not directory.users[q.user]
	some id in _named_alike(directory, q.user)
}

_named_alike(directory, username) := {id |
	some id, user in directory.users
	lower(user.username) == lower(username)
}

_user(directory, q) := account(directory, _account_id(directory, q), _organization(directory, q)) if {
	_model_of(directory, q) != {}
}

default _folded(_, _) := {}

_folded(directory, q) := {"folded": {name: lower(text) |
	some name, text in {
		"username": q["with"].username,
		"username_confirmation": object.get(q, ["with", "username_confirmation"], ""),
		"account": _account_username(directory, q),
	}
	is_string(text)
	text != ""
}} if {
	q.does == "user.invite"
	is_string(q["with"].username)
	q["with"].username != ""
}

default _account_username(_, _) := ""

_account_username(directory, q) := directory.users[_account_id(directory, q)].username

default _namesake(_, _) := {}

_namesake(directory, q) := {"namesake": {"id": q["with"].username}} if {
	q["with"].new == true
	directory.users[q["with"].username]
} else := {"namesake": {"id": id}} if {
	q["with"].new == true
	some id in _named_alike(directory, q["with"].username)
}

# Those the subject holds, in the organization unless the action looks anywhere, and the place where a role may reach.
_standings(directory, q) := {id: standing(directory, q.who, id) | some id in (first | reached)} if {
	_needs_standing(q)
	directory.users[q.who]
	scope := _standings_scope(directory, q)
	here := [id | some id, _ in held(directory, q.who); _in_scope(place(directory, id), scope)]
	first := {id | some id in array.slice(here, 0, 20)}
	reached := {id |
		id := _place_id(q)
		some above in here
		place(directory, id).path[above]
	}
}

_standings_scope(_, q) := "" if startswith(q.does, "entity.")

_standings_scope(directory, q) := _organization(directory, q) if not startswith(q.does, "entity.")

_in_scope(_, "")

_in_scope(location, organization) if location.organization == organization

# METADATA
# title: A location as a fact
place(directory, id) := object.union(
	{"id": id, "kind": location.kind, "model": root.model, "organization": organization, "path": path},
	{"plan": plan | some plan in [root.plan]},
) if {
	location := directory.locations[id]
	path := _path(directory.locations, id)
	some organization, _ in path
	root := directory.locations[organization]
	not root.parent
}

# No tree is deeper.
_path(locations, id) := {id: true} if not locations[id].parent

_path(locations, id) := {step: true | some step in [id, parent]} if {
	parent := locations[id].parent
	not locations[parent].parent
}

_path(locations, id) := {step: true | some step in [id, parent, above]} if {
	parent := locations[id].parent
	above := locations[parent].parent
}

# METADATA
# title: A location with the roles that a person holds at it or above
standing(directory, who, id) := object.union(location, {"held": roles}) if {
	location := place(directory, id)
	roles := {above: role | some above, role in held(directory, who); location.path[above]}
}

# METADATA
# title: An account as one organization sees it ("" for all of them)
account(directory, id, organization) := object.union(
	{
		"id": id,
		"status": object.get(user, "status", "active"),
		"assigned": count(user.assignments) > 0,
		"assignments": {at: _assignment(a) | some at, a in seen},
		"held": {at: role | some at, role in held(directory, id); seen[at]},
		"within": {above: true | some at, _ in seen; some above, _ in place(directory, at).path},
	},
	{key: user[key] | some key in ["username", "default_location"]},
) if {
	user := directory.users[id]
	seen := {at: a | some at, a in user.assignments; _in_scope(place(directory, at), organization)}
}

_assignment(a) := {"role": a, "status": "active"} if is_string(a)

_assignment(a) := object.union({"status": "active"}, a) if is_object(a)

# METADATA
# title: The roles that a person actively holds
held(directory, who) := {at: assignment.role |
	some at, a in directory.users[who].assignments
	assignment := _assignment(a)
	assignment.status == "active"
	_group_is_active(directory, who, place(directory, at))
}

_group_is_active(_, _, location) if location.kind != "practice"

_group_is_active(directory, who, location) if {
	_assignment(directory.users[who].assignments[location.organization]).status == "active"
}
