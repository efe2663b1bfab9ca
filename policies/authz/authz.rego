# METADATA
# title: Who may administer whom, where
# description: |
#   The decision on one question (policies/DOMAIN.md section 2). An allow is one positive conjunction: who and
#   where, then the model's power and rules. Reasons are sought only once it did not hold. What is allowed has no
#   reason, and what is not has one: a property test holds the two together.
package authz

import data.authz.question

# METADATA
# title: The decision, with its reasons, obligations and advice
# entrypoint: true
default decision := {
	"allow": false,
	"reasons": [{"code": "not_permitted", "rule": "ALL-1", "message": "Your role does not permit this."}],
}

decision := object.union({"allow": true}, _outcome) if {
	allow
} else := _denial

# METADATA
# title: Whether the question is allowed, for lists that need no reasons
# scope: document
default allow := false

allow if {
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
	input.facts.subject.status == "active"
	input.facts.place.organization == input.facts.current.organization
	_asked_of_known
	_allowed(input.facts.model, input.facts.current, input.facts.place)
	_supported
}

allow if {
	input.action.name in {"entity.create", "entity.associate", "entity.dissociate"}
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
	input.facts.subject.status == "active"
	_allowed(input.facts.model, input.facts.current, input.facts.place)
	_supported
}

allow if {
	input.action.name in {
		"location.switch", "patient.view", "incident.view", "summary.view", "invitation.accept", "invitation.reject",
	}
	input.subject.type == "user"
	input.facts.subject.id == input.subject.id
	input.facts.subject.status == "active"
	_using(input.facts.model)
	_supported
}

# METADATA
# title: Whether the action is allowed with suitable properties, for action searches (section 8)
# scope: document
default possible := false

possible if allow

possible if {
	identified
	_possible(input.facts.model, input.facts.current, input.facts.place)
	_supported
}

# What comes with an allow.
default _outcome := {}

_outcome := _outcome_of(input.facts.model, input.facts.current, input.facts.place)

# ALL-13: an allow whose obligations the caller cannot do is none. Anything but a list of texts supports nothing.
_supported if not _names_obligations
_supported if _supports(_outcome)

_names_obligations if input.context.supported_obligations != null

_supports(outcome) if not outcome.obligations

_supports(outcome) if {
	question.is_texts(input.context.supported_obligations)
	every obligation in outcome.obligations {
		obligation.type in input.context.supported_obligations
	}
}

# ALL-5, in the words of the facts: the user has an assignment in the organization, or can be invited to it.
_asked_of_known if input.resource.type == "location"

_asked_of_known if {
	input.action.name != "user.invite"
	input.facts.user.id == input.resource.id
	input.facts.user.within[input.facts.organization.id]
	input.facts.user.assignments
}

_asked_of_known if {
	input.action.name == "user.invite"
	_can_be_invited(input.facts.model)
}
