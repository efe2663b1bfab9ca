package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The bounds of a condition.
const (
	maxConditions = 1000
	maxValues     = 1000 // of a membership
)

// NotExpressible reports that a rule cannot be turned into a condition. The message names the place in the policy and no value.
type NotExpressible struct {
	Location *ast.Location // nil if unknown
	Problem  string
}

// Error implements error.
func (e *NotExpressible) Error() string {
	if e.Location == nil || e.Location.File == "" {
		return e.Problem
	}
	return fmt.Sprintf("%s:%d: %s", strings.TrimPrefix(e.Location.File, "/"), e.Location.Row, e.Problem)
}

// Translate returns the condition under which one of several queries holds: each is a list of expressions that all must hold. That is
// what partial evaluation leaves of a rule; no queries mean that the rule never holds. unknowns are the tables, as references
// such as input.users. The error is a [*NotExpressible].
func Translate(queries []ast.Body, unknowns []ast.Ref) (Condition, error) {
	t := translation{unknowns: unknowns}
	some := Any{}
	for _, query := range queries {
		every, err := t.body(query)
		if err != nil {
			return nil, err
		}
		switch {
		case every == nil: // never
		case len(every) == 0:
			return All{}, nil
		case len(every) == 1:
			some = append(some, every[0])
		default:
			some = append(some, every)
		}
	}
	if len(some) == 1 {
		return some[0], nil
	}
	return some, nil
}

type translation struct {
	unknowns   []ast.Ref
	conditions int
}

// body returns nil if the query never holds.
func (t *translation) body(query ast.Body) (All, error) {
	every := All{}
	for _, e := range query {
		c, err := t.expression(e)
		if err != nil {
			return nil, err
		}
		if holds, ok := Unconditional(c); ok {
			if !holds {
				return nil, nil
			}
			continue
		}
		every = append(every, c)
	}
	return every, nil
}

func (t *translation) expression(e *ast.Expr) (Condition, error) {
	if t.conditions++; t.conditions > maxConditions {
		return nil, refuse(e, "the filter has more than %d conditions", maxConditions)
	}
	if len(e.With) > 0 {
		return nil, refuse(e, "with cannot be expressed in a filter")
	}
	c, err := t.positive(e)
	if err != nil || !e.Negated {
		return c, err
	}
	if holds, ok := Unconditional(c); ok {
		if e.IsCall() { // it holds unless the column is NULL
			return nil, refuse(e, "a column is looked for in an empty collection")
		}
		return constant(!holds), nil
	}
	return Not{c}, nil
}

func constant(holds bool) Condition {
	if holds {
		return All{}
	}
	return Any{}
}

// positive translates an expression without regard to its negation.
func (t *translation) positive(e *ast.Expr) (Condition, error) {
	if !e.IsCall() {
		term, ok := e.Terms.(*ast.Term)
		if !ok {
			return nil, refuse(e, "every cannot be expressed in a filter")
		}
		if value, ok := term.Value.(ast.Boolean); ok {
			return constant(bool(value)), nil
		}
		return nil, refuse(e, "only comparisons can be expressed in a filter: compare a column with a value, as in input.users.active == true; "+
			"a rule that it needs must have neither a default nor else")
	}
	operator := e.Operator().String()
	operands := e.Operands()
	if operator == ast.Member.Name && len(operands) == 2 {
		return t.membership(e, operands[0], operands[1])
	}
	op, ok := operators[operator]
	if !ok || len(operands) != 2 {
		return nil, refuse(e, "%s cannot be expressed in a filter", shown(operator))
	}
	left, right := operands[0], operands[1]
	column, found := t.column(left)
	if !found {
		if column, found = t.column(right); !found {
			return nil, refuse(e, "neither side of the comparison is a column of the table, input.TABLE.COLUMN")
		}
		if op, ok = mirrored[op]; !ok {
			return nil, refuse(e, "%s needs the column first", shown(operator))
		}
		right = left
	}
	value, problem := valueOf(right)
	if problem != "" {
		return nil, refuse(e, "a column is compared with %s", problem)
	}
	if problem = op.comparable(value); problem != "" {
		return nil, refuse(e, "%s", problem)
	}
	return Comparison{column, op, value}, nil
}

var operators = map[string]Operator{
	ast.Equality.Name: Equal, ast.Equal.Name: Equal, ast.NotEqual.Name: NotEqual,
	ast.LessThan.Name: Less, ast.LessThanEq.Name: LessOrEqual, ast.GreaterThan.Name: Greater, ast.GreaterThanEq.Name: GreaterOrEqual,
	ast.StartsWith.Name: StartsWith, ast.EndsWith.Name: EndsWith, ast.Contains.Name: Contains,
}

// mirrored has the operators that hold with the sides exchanged.
var mirrored = map[Operator]Operator{
	Equal: Equal, NotEqual: NotEqual, Less: Greater, LessOrEqual: GreaterOrEqual, Greater: Less, GreaterOrEqual: LessOrEqual,
}

// comparable returns why a value cannot be compared so; "" if it can. Rego orders values of all types, databases do not.
func (o Operator) comparable(value Value) string {
	if o == Equal || o == NotEqual {
		return ""
	}
	if _, ok := value.(string); ok {
		return ""
	}
	if _, ok := value.(bool); !ok && o != StartsWith && o != EndsWith && o != Contains {
		return ""
	}
	return fmt.Sprintf("%s is not for such a value", o)
}

func (t *translation) membership(e *ast.Expr, member, collection *ast.Term) (Condition, error) {
	column, ok := t.column(member)
	if !ok {
		return nil, refuse(e, "what is looked for in a collection is not a column of the table, input.TABLE.COLUMN")
	}
	var terms []*ast.Term
	switch c := collection.Value.(type) {
	case *ast.Array:
		c.Foreach(func(term *ast.Term) { terms = append(terms, term) })
	case ast.Set:
		c.Sorted().Foreach(func(term *ast.Term) { terms = append(terms, term) })
	default:
		return nil, refuse(e, "the collection in which a column is looked for is neither a known list nor a known set")
	}
	m := Membership{Column: column}
	for _, term := range terms {
		value, problem := valueOf(term)
		if problem != "" {
			return nil, refuse(e, "a column is looked for in a collection with %s", problem)
		}
		if len(m.Values) > 0 && kind(value) != kind(m.Values[0]) {
			return nil, refuse(e, "a column is looked for in a collection of several types")
		}
		if !slices.Contains(m.Values, value) {
			m.Values = append(m.Values, value)
		}
	}
	switch {
	case len(m.Values) == 0:
		return Any{}, nil
	case len(m.Values) > maxValues:
		return nil, refuse(e, "a column is looked for in a collection of more than %d values", maxValues)
	}
	return m, nil
}

func kind(value Value) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "boolean"
	}
	return "number"
}

// column returns the column that a term refers to: an unknown table and one name.
func (t *translation) column(term *ast.Term) (Column, bool) {
	ref, ok := term.Value.(ast.Ref)
	if !ok || len(ref) < 2 {
		return Column{}, false
	}
	table := ref[:len(ref)-1]
	if !slices.ContainsFunc(t.unknowns, func(unknown ast.Ref) bool { return table.Equal(unknown) }) {
		return Column{}, false
	}
	of, isText := table[len(table)-1].Value.(ast.String)
	name, ok := ref[len(ref)-1].Value.(ast.String)
	return Column{string(of), string(name)}, ok && isText && len(table) == 2 && IsName(string(of)) && IsName(string(name))
}

// IsName reports whether a text can be the name of a table or of a column: at most 63 letters of ASCII, digits and underscores, and
// no digit first.
func IsName(text string) bool {
	if text == "" || len(text) > 63 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return true
}

// valueOf returns a value that databases have, or what it is instead.
func valueOf(term *ast.Term) (value Value, problem string) {
	switch v := term.Value.(type) {
	case ast.String:
		if strings.ContainsRune(string(v), 0) { // databases cut texts there, or refuse them
			return nil, "a text with the character U+0000"
		}
		return string(v), ""
	case ast.Boolean:
		return bool(v), ""
	case ast.Number:
		n, ok := v.Int64()
		if !ok {
			return nil, "a number that is not an integer of 64 bits"
		}
		return n, ""
	case ast.Null:
		return nil, "null: a column that is NULL is a member that the row lacks"
	case ast.Ref, ast.Var:
		return nil, "what is not known: another column, a part of one, or a rule with a default or else"
	}
	return nil, "a value that is no text, number, true or false"
}

func shown(operator string) string {
	if len(operator) > 100 || strings.HasPrefix(operator, "data.") {
		return "a call of a function with a default or else"
	}
	return strconv.Quote(operator)
}

func refuse(e *ast.Expr, format string, args ...any) error {
	return &NotExpressible{e.Location, fmt.Sprintf(format, args...)}
}
