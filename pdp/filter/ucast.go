package filter

import (
	"fmt"
	"slices"
)

// Variant is a subset of UCAST, as OPA's API names them.
type Variant string

// The variants. They differ in what they can express.
const (
	UCASTAll     Variant = "all"
	UCASTMinimal Variant = "minimal" // comparisons alone
	UCASTLINQ    Variant = "linq"    // comparisons and in
	UCASTPrisma  Variant = "prisma"
)

// UCAST returns a condition as a tree of UCAST, to be written as JSON. An unconditional yes is an "and" of nothing. There is no tree for an
// unconditional no, because a client for Prisma takes an "or" of nothing for a yes: nil. The error is a [*NotExpressible].
func UCAST(c Condition, names Names, variant Variant) (map[string]any, error) {
	if holds, ok := Unconditional(c); ok && !holds {
		return nil, nil
	}
	switch c := c.(type) {
	case All:
		return compound("and", c, names, variant)
	case Any:
		return compound("or", c, names, variant)
	case Not:
		if variant == UCASTMinimal || variant == UCASTLINQ {
			return nil, cannot(variant, "not")
		}
		return compound("not", []Condition{c.Condition}, names, variant)
	case Comparison:
		if slices.Contains([]Operator{StartsWith, EndsWith, Contains}, c.Operator) && (variant == UCASTMinimal || variant == UCASTLINQ) {
			return nil, cannot(variant, string(c.Operator))
		}
		return field(string(c.Operator), names.of(c.Column), c.Value), nil
	case Membership:
		if variant == UCASTMinimal {
			return nil, cannot(variant, "in")
		}
		values := make([]any, len(c.Values))
		for i, value := range c.Values {
			values[i] = value
		}
		return field("in", names.of(c.Column), values), nil
	}
	panic(fmt.Sprintf("a condition of type %T", c))
}

func compound(operator string, of []Condition, names Names, variant Variant) (map[string]any, error) {
	values := make([]any, len(of))
	for i, c := range of {
		node, err := UCAST(c, names, variant)
		if err != nil {
			return nil, err
		}
		values[i] = node
	}
	return map[string]any{"type": "compound", "operator": operator, "value": values}, nil
}

func field(operator, name string, value any) map[string]any {
	return map[string]any{"type": "field", "operator": operator, "field": name, "value": value}
}

func cannot(variant Variant, what string) error {
	return &NotExpressible{Problem: fmt.Sprintf("the variant %q of UCAST has no %s: ask for another", variant, what)}
}
