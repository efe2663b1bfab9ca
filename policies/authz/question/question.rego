# METADATA
# title: The parts of the question
# description: |
#   What every model reads of the question and the facts. A property of the wrong type, null or "" counts as absent
#   here; `formed` is where stage 3 objects to it (policies/DOMAIN.md section 2).
package authz.question

# METADATA
# title: A property that names something, known or not
# description: What has the wrong type names what nobody knows.
named(value) if not value in {null, ""}

# METADATA
# title: An action property that is a text
text(name) := value if {
	value := input.action.properties[name]
	is_string(value)
	value != ""
}

# METADATA
# title: An action property that can be a username (policies/DOMAIN.md section 1)
username(name) := value if {
	value := text(name)
	regex.match(_username, value)
}

# METADATA
# title: An action property that can be a username, or is not there
well_formed_username(name) if username(name)

well_formed_username(name) if not text(name)

# What is never in a username: control, format and default-ignorable characters (the last as Unicode lists them).
_hidden := concat("", [
	`\p{Cc}\p{Cf}\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2065}\x{3164}`,
	`\x{FE00}-\x{FE0F}\x{FFA0}\x{FFF0}-\x{FFF8}\x{E0000}-\x{E0FFF}`,
])

# White space that is not hidden; it may stand inside.
_space := `\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`

_username := sprintf(`^[^%s%s](?:[^%s]*[^%s%s])?$`, [_hidden, _space, _hidden, _hidden, _space])

# METADATA
# title: An action property that is a list of texts
texts(name) := value if {
	value := input.action.properties[name]
	is_texts(value)
}

# METADATA
# title: An action property that is an object of switches
# description: A switch that is null is absent.
switches(name) := {key: on | some key, on in value; on != null} if {
	value := input.action.properties[name]
	_is_switches(value)
}

# METADATA
# title: An action property that is true
said(name) if input.action.properties[name] == true

# METADATA
# title: Whether an action property has the form that the catalogue asks for
# description: |
#   The forms are `text` and `texts`, and with a question mark, where the property may be absent, `text?`, `texts?`,
#   `switches?` and `flag?`.
formed(form, name) if {
	form == "text"
	text(name)
}

formed(form, name) if {
	form == "text?"
	text(name)
}

formed(form, name) if {
	form == "text?"
	absent(name)
}

formed(form, name) if {
	form == "texts"
	texts(name)
}

formed(form, name) if {
	form == "texts?"
	texts(name)
}

formed(form, name) if {
	form == "texts?"
	absent(name)
}

formed(form, name) if {
	form == "switches?"
	switches(name)
}

formed(form, name) if {
	form == "switches?"
	absent(name)
}

formed(form, name) if {
	form == "flag?"
	is_boolean(input.action.properties[name])
}

formed(form, name) if {
	form == "flag?"
	absent(name)
}

# METADATA
# title: Whether an action property is missing, null or empty
absent(name) if object.get(input, ["action", "properties", name], null) in {null, ""}

# METADATA
# title: A list of texts
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
# title: Some property has not the form that the catalogue asks for
malformed(properties) if {
	some name, form in properties
	not formed(form, name)
}
