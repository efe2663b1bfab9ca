package filter

// Condition is a condition on a row: [All], [Any], [Not], [Comparison] or [Membership].
type Condition interface{ condition() }

// All holds if each of its conditions does. Without any, it always holds.
type All []Condition

// Any holds if one of its conditions does. Without any, it never holds.
type Any []Condition

// Not holds if its condition, a [Comparison] or [Membership], does not. If the column is NULL, neither holds: partial evaluation
// does not tell "not x == 1" of a missing x, which Rego lets hold, from "x != null; not x == 1".
type Not struct{ Condition Condition }

// Operator is how a [Comparison] compares a column with a value.
type Operator string

// The operators. The last three are for texts.
const (
	Equal          Operator = "eq"
	NotEqual       Operator = "ne"
	Less           Operator = "lt"
	LessOrEqual    Operator = "lte"
	Greater        Operator = "gt"
	GreaterOrEqual Operator = "gte"
	StartsWith     Operator = "startswith"
	EndsWith       Operator = "endswith"
	Contains       Operator = "contains"
)

// Comparison compares a column with a value. If the column is NULL, it does not hold. Texts are compared by code points.
type Comparison struct {
	Column   Column
	Operator Operator
	Value    Value
}

// Membership holds if a column has one of some values, which are of one type.
type Membership struct {
	Column Column
	Values []Value
}

// Column is a column of a table, by the names in the policy.
type Column struct{ Table, Name string }

// Value is a string, a bool or an int64.
type Value any

func (All) condition()        {}
func (Any) condition()        {}
func (Not) condition()        {}
func (Comparison) condition() {}
func (Membership) condition() {}

// Unconditional reports whether a condition is the same for each row, and which it is.
func Unconditional(c Condition) (holds, ok bool) {
	switch c := c.(type) {
	case All:
		return true, len(c) == 0
	case Any:
		return false, len(c) == 0
	}
	return false, false
}
