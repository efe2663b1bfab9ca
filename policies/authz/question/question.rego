# METADATA
# title: The parts of the question
# description: |
#   Readers of the question that all models share. They treat a property that is null, "" or of the wrong type as
#   absent; `formed` reports the wrong type, in stage 3 (policies/DOMAIN.md section 2). The facts are described in
#   policies/schemas/input.json: `current` is where the subject works, `place` what the question is about, and
#   `standings` are the other locations where the subject could work.
package authz.question

# METADATA
# title: A property that names a location, known or unknown
# description: A value of the wrong type names an unknown location.
named(value) if not value in {null, ""}

# METADATA
# title: The text in an action property
text(name) := value if {
	value := input.action.properties[name]
	is_string(value)
	value != ""
}

# METADATA
# title: The username in an action property, if it is well-formed (policies/DOMAIN.md section 1)
username(name) := value if {
	value := text(name)
	regex.match(_username, value)
}

# METADATA
# title: Whether an action property is a well-formed username or absent
well_formed_username(name) if username(name)
well_formed_username(name) if not text(name)

# Characters that no username contains: control, format, and Unicode's default-ignorable characters.
_hidden := concat("", [
	`\p{Cc}\p{Cf}\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2065}\x{3164}`,
	`\x{FE00}-\x{FE0F}\x{FFA0}\x{FFF0}-\x{FFF8}\x{E0000}-\x{E0FFF}`,
])

# White space, which a username may contain but neither begin nor end with.
_space := `\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`

_username := sprintf(`^[^%s%s](?:[^%s]*[^%s%s])?$`, [_hidden, _space, _hidden, _hidden, _space])

# METADATA
# title: The list of texts in an action property
texts(name) := value if {
	value := input.action.properties[name]
	is_texts(value)
}

# METADATA
# title: The switches in an action property, an object of true and false
# description: A switch that is null counts as absent.
switches(name) := {key: on | some key, on in value; on != null} if {
	value := input.action.properties[name]
	_is_switches(value)
}

# METADATA
# title: Whether an action property is true
said(name) if input.action.properties[name] == true

# METADATA
# title: Whether a new account is invited, which looks at no account that exists (SYS-2, PRA-3)
# scope: document
invites_new if {
	input.action.name == "user.invite"
	said("new")
}

# METADATA
# title: Whether an action property has the form that the table of actions requires
# description: The forms are text, texts, text?, texts?, switches? and flag?. With ? the property may be absent.
formed("text", name) if text(name)
formed("text?", name) if text(name)
formed("text?", name) if absent(name)
formed("texts", name) if texts(name)
formed("texts?", name) if texts(name)
formed("texts?", name) if absent(name)
formed("switches?", name) if switches(name)
formed("switches?", name) if absent(name)
formed("flag?", name) if is_boolean(input.action.properties[name])
formed("flag?", name) if absent(name)

# METADATA
# title: Whether an action property is missing, null or empty
absent(name) if not _present(name)

_present(name) if named(input.action.properties[name])

# METADATA
# title: Whether a value is a list of texts
is_texts(value) if {
	is_array(value)
	every element in value {
		is_string(element)
	}
}

_is_switches(value) if {
	is_object(value)
	every _, element in value {
		element in {true, false, null}
	}
}

# METADATA
# title: Whether some property does not have the form that the table of actions requires
malformed(properties) if {
	some name, form in properties
	not formed(form, name)
}

# METADATA
# title: Whether the subject has an active assignment at a place, or one of its roles reaches down to it
reaches(_, place) if input.facts.subject.held[place.id]

reaches(roles, place) if {
	some above, _ in place.path
	roles[input.facts.subject.held[above]].reaches_down
}
