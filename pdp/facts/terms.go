package facts

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// The keys of the input and its facts, built once instead of for each question.
var (
	keyAccess               = ast.StringTerm("access")
	keyAccount              = ast.StringTerm("account")
	keyAction               = ast.StringTerm("action")
	keyAreas                = ast.StringTerm("areas")
	keyAssigned             = ast.StringTerm("assigned")
	keyAssignments          = ast.StringTerm("assignments")
	keyContext              = ast.StringTerm("context")
	keyCurrent              = ast.StringTerm("current")
	keyDefaultLocation      = ast.StringTerm("default_location")
	keyFacilities           = ast.StringTerm("facilities")
	keyFacts                = ast.StringTerm("facts")
	keyFolded               = ast.StringTerm("folded")
	keyHeld                 = ast.StringTerm("held")
	keyID                   = ast.StringTerm("id")
	keyKind                 = ast.StringTerm("kind")
	keyLevel                = ast.StringTerm("level")
	keyLocations            = ast.StringTerm("locations")
	keyModel                = ast.StringTerm("model")
	keyName                 = ast.StringTerm("name")
	keyNamesake             = ast.StringTerm("namesake")
	keyOrganization         = ast.StringTerm("organization")
	keyPath                 = ast.StringTerm("path")
	keyPlace                = ast.StringTerm("place")
	keyPlan                 = ast.StringTerm("plan")
	keyProperties           = ast.StringTerm("properties")
	keyResource             = ast.StringTerm("resource")
	keyRole                 = ast.StringTerm("role")
	keyStandings            = ast.StringTerm("standings")
	keyStatus               = ast.StringTerm("status")
	keySubject              = ast.StringTerm("subject")
	keyTarget               = ast.StringTerm("target")
	keyType                 = ast.StringTerm("type")
	keyUser                 = ast.StringTerm("user")
	keyUsername             = ast.StringTerm("username")
	keyUsernameConfirmation = ast.StringTerm("username_confirmation")
	keyWithin               = ast.StringTerm("within")

	termTrue  = ast.BooleanTerm(true)
	termFalse = ast.BooleanTerm(false)

	// The types of subjects and resources that most questions name.
	commonTypes = map[string]*ast.Term{
		"user": keyUser, "location": ast.StringTerm("location"), "patient": ast.StringTerm("patient"),
	}
	statuses = map[string]*ast.Term{
		StatusActive: ast.StringTerm(StatusActive), StatusInvited: ast.StringTerm(StatusInvited), StatusDeactivated: ast.StringTerm(StatusDeactivated),
	}
)

func item(key, value *ast.Term) [2]*ast.Term { return [2]*ast.Term{key, value} }

func value(key, term *ast.Term) input.Member { return input.Member{Key: key, Value: term} }

// sorted sorts the keys of an object that questions share, and of the objects in it. OPA sorts them when they are first needed,
// and copies of the object that are made meanwhile could miss some.
func sorted(object *ast.Term) *ast.Term {
	object.Value.(ast.Object).Foreach(func(_, member *ast.Term) {
		if _, ok := member.Value.(ast.Object); ok {
			sorted(member)
		}
	})
	return object
}

func boolTerm(b bool) *ast.Term {
	if b {
		return termTrue
	}
	return termFalse
}

func typeTerm(name string) *ast.Term { return known(commonTypes, name) }

// known returns the term of a string, which is built only if it is not among the terms.
func known(terms map[string]*ast.Term, text string) *ast.Term {
	if term := terms[text]; term != nil {
		return term
	}
	return ast.StringTerm(text)
}
