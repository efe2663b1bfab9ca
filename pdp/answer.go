package pdp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// readDecision reads the answer of a policy: a boolean, or an object with allow and, optionally, reasons, obligations,
// advice and context (pdp/authzen/PROTOCOL.md). Anything else, including an undefined answer, is an error and not a
// decision. The error is for the log: it names the fault and quotes nothing from the answer.
func readDecision(term *ast.Term) (Decision, error) {
	if term == nil {
		return Decision{}, errors.New("the decision is undefined")
	}
	switch value := term.Value.(type) {
	case ast.Boolean:
		return Decision{Allow: bool(value)}, nil
	case ast.Object:
		return readObject(value)
	}
	return Decision{}, fmt.Errorf("the decision is a %s", ast.ValueName(term.Value))
}

// CheckAnswer returns why the answer of a policy is no decision, and so counts as a denial; nil if it is one. The answer nil is undefined.
func CheckAnswer(answer *ast.Term) error {
	_, err := readDecision(answer)
	return err
}

// The members of a decision.
var (
	keyAllow       = ast.StringTerm("allow")
	keyReasons     = ast.StringTerm("reasons")
	keyAdvice      = ast.StringTerm("advice")
	keyObligations = ast.StringTerm("obligations")
	keyContext     = ast.StringTerm("context")
)

func readObject(object ast.Object) (Decision, error) {
	var d Decision
	allow := object.Get(keyAllow)
	if allow == nil {
		return Decision{}, errors.New("allow is missing")
	}
	allowed, ok := allow.Value.(ast.Boolean)
	if !ok {
		return Decision{}, errors.New("allow is not a boolean")
	}
	d.Allow = bool(allowed)
	known := 1
	var err error
	if member := object.Get(keyReasons); member != nil {
		known++
		if d.Reasons, err = readList("reasons", member); err != nil {
			return Decision{}, err
		}
	}
	if member := object.Get(keyAdvice); member != nil {
		known++
		if d.Advice, err = readList("advice", member); err != nil {
			return Decision{}, err
		}
	}
	if member := object.Get(keyObligations); member != nil {
		known++
		if d.Obligations, err = readObligations(member); err != nil {
			return Decision{}, err
		}
	}
	if member := object.Get(keyContext); member != nil {
		known++
		if d.Context, err = readMembers("context", member); err != nil {
			return Decision{}, err
		}
	}
	if known != object.Len() {
		return Decision{}, errors.New("there is a member that no decision has")
	}
	return d, nil
}

// readList reads an array, or a set in sorted order.
func readList(name string, term *ast.Term) ([]any, error) {
	switch term.Value.(type) {
	case *ast.Array, ast.Set:
	default:
		return nil, fmt.Errorf("%s is not a list", name)
	}
	value, err := ast.JSON(term.Value)
	if err != nil {
		return nil, err
	}
	return value.([]any), nil
}

// readStrings reads a list of strings.
func readStrings(value ast.Value) ([]string, error) {
	list, err := readList("the value", ast.NewTerm(value))
	if err != nil {
		return nil, err
	}
	all := make([]string, 0, len(list))
	for _, element := range list {
		s, ok := element.(string)
		if !ok {
			return nil, errors.New("an element is not a string")
		}
		all = append(all, s)
	}
	return all, nil
}

func readMembers(name string, term *ast.Term) (map[string]any, error) {
	value, err := ast.JSON(term.Value)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", name)
	}
	return members, nil
}

// obligationProperty describes a property of an obligation type.
type obligationProperty struct {
	name     string
	required bool
	valid    func(value any) bool
}

// obligationTypes are the registered types of obligations, with the properties that are checked.
var obligationTypes = map[string][]obligationProperty{
	"custom":              nil,
	"notification":        {{"to", true, isString}, {"body", true, isString}, {"topic", false, isString}},
	"session_termination": {{"subject", true, isString}},
	"step-up":             {{"acr_value", true, isString}, {"amr_values", false, areStrings}},
}

// checkObligationType returns an error if an obligation type is not registered.
func checkObligationType(name string) error {
	if _, registered := obligationTypes[name]; !registered {
		return fmt.Errorf("not one of the types %s", strings.Join(slices.Sorted(maps.Keys(obligationTypes)), ", "))
	}
	return nil
}

func isString(value any) bool { _, ok := value.(string); return ok }

func areStrings(value any) bool {
	list, ok := value.([]any)
	return ok && !slices.ContainsFunc(list, func(element any) bool { return !isString(element) })
}

// readObligations requires the shape of the obligations profile: an enforcement point cannot fulfill what it cannot
// read.
func readObligations(term *ast.Term) ([]Obligation, error) {
	list, err := readList("obligations", term)
	if err != nil {
		return nil, err
	}
	obligations := make([]Obligation, 0, len(list))
	for _, element := range list {
		o, err := readObligation(element)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(obligations, func(other Obligation) bool { return other.ID == o.ID }) {
			return nil, errors.New("two obligations have the same id")
		}
		obligations = append(obligations, o)
	}
	return obligations, nil
}

func readObligation(value any) (Obligation, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return Obligation{}, errors.New("an obligation is not an object")
	}
	o := Obligation{ID: facts.String(members, "id"), Type: facts.String(members, "type"), Properties: map[string]any{}}
	if o.ID == "" || o.Type == "" {
		return Obligation{}, errors.New("an obligation lacks its id or type")
	}
	if err := checkObligationType(o.Type); err != nil {
		return Obligation{}, fmt.Errorf("the type of an obligation is %w", err)
	}
	if properties := members["properties"]; properties != nil {
		if o.Properties, ok = properties.(map[string]any); !ok {
			return Obligation{}, fmt.Errorf("the properties of an obligation of type %s are not an object", o.Type)
		}
	}
	for _, p := range obligationTypes[o.Type] {
		switch value := o.Properties[p.name]; {
		case value == nil && p.required:
			return Obligation{}, fmt.Errorf("an obligation of type %s lacks the property %s", o.Type, p.name)
		case value != nil && !p.valid(value):
			return Obligation{}, fmt.Errorf("the property %s of an obligation of type %s has the wrong type", p.name, o.Type)
		}
	}
	return o, nil
}

// maxAnswers limits the total size of the answers to one request, in bytes of JSON.
const maxAnswers = 16 << 20

// addToLength counts the length of a policy's answer. It fails before anything is built from an answer that is too long,
// alone or together with the earlier ones.
func (ev *evaluation) addToLength(term *ast.Term) error {
	if term != nil {
		ev.answered += lengthOf(term.Value, maxAnswers-ev.answered)
	}
	return ev.checkLength()
}

// checkLength fails if the answers are too long already, so that nothing more is evaluated.
func (ev *evaluation) checkLength() error {
	if ev.answered <= maxAnswers {
		return nil
	}
	return &Error{Kind: Internal, Message: "The policy's answer is too long.", Err: fmt.Errorf("more than %d bytes", maxAnswers)}
}

// lengthOf returns the length of a value as JSON in bytes. It stops counting soon after most.
func lengthOf(value ast.Value, most int) int {
	c := lengthCounters.Get().(*lengthCounter)
	defer lengthCounters.Put(c)
	c.n, c.most = 0, most+1 // with the separator after the value
	c.add(value)
	return c.n - 1 // without it
}

// lengthCounter counts the length of values with a separator after each.
type lengthCounter struct {
	n, most int
	element func(*ast.Term) bool
	member  func(name, value *ast.Term) bool
}

var lengthCounters = sync.Pool{New: func() any {
	c := &lengthCounter{}
	c.element = func(element *ast.Term) bool { return c.add(element.Value) }
	c.member = func(name, value *ast.Term) bool { return c.add(name.Value) || c.add(value.Value) }
	return c
}}

// add counts a value. It returns true if the count exceeds most.
func (c *lengthCounter) add(value ast.Value) bool {
	c.n += 3 // brackets or quotes, and the separator
	switch v := value.(type) {
	case ast.String:
		for i := 0; i < len(v) && c.n <= c.most; i++ {
			switch b := v[i]; {
			case b < ' ':
				c.n += len(`\u0000`)
			case b == '"' || b == '\\':
				c.n += 2
			default:
				c.n++
			}
		}
	case ast.Object:
		v.Until(c.member)
	case *ast.Array:
		v.Until(c.element)
	case ast.Set:
		v.Until(c.element)
	case ast.Number:
		c.n += len(v) - 2
	default: // true, false, null
		c.n += 3
	}
	return c.n > c.most
}
