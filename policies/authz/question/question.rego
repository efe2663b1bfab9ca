# METADATA
# title: The parts of the question
# description: |
#   What every model reads of the question and the facts. A property of the wrong type, null or "" counts as absent
#   here; `formed` is where stage 3 objects to it (DOMAIN.md section 2).
package authz.question

# METADATA
# title: A text that is not empty
named(value) if {
	is_string(value)
	value != ""
}

# METADATA
# title: An action property that is a text
text(name) := value if {
	value := input.action.properties[name]
	is_string(value)
	value != ""
}

# METADATA
# title: An action property that is a list of texts
texts(name) := value if {
	value := input.action.properties[name]
	_is_texts(value)
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

_is_texts(value) if {
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
