package pdp

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// maxMasks limits how many parts of a record a policy may hide.
const maxMasks = 1000

// Mask is a part of a record that a policy hides: it is removed, or replaced by a value.
type Mask struct {
	Path    string // a JSON pointer into the record
	Replace bool
	Value   any
}

// Masks reports whether the policy hides parts of records.
func (p *Policy) Masks() bool { return p.mask != nil }

// Mask asks the policy what to hide of a record, which consists of plain Go values. The rule is data.system.log.mask: a set of
// JSON pointers, or of objects with op ("remove" or "upsert"), path and value, as in OPA. The caller limits the time with
// ctx.
func (p *Policy) Mask(ctx context.Context, record map[string]any) (masks []Mask, err error) {
	if p.mask == nil {
		return nil, nil
	}
	value, err := ast.InterfaceToValue(record)
	if err != nil {
		return nil, err
	}
	term, err := evaluate(ctx, p.mask, input.Of(ast.NewTerm(value)))
	if err != nil || term == nil {
		return nil, err
	}
	list, err := readList("the mask", term)
	if err != nil {
		return nil, err
	}
	if len(list) > maxMasks {
		return nil, errors.New("the mask has too many elements")
	}
	for _, element := range list {
		mask, err := readMask(element)
		if err != nil {
			return nil, err
		}
		masks = append(masks, mask)
	}
	return masks, nil
}

func readMask(element any) (Mask, error) {
	switch element := element.(type) {
	case string:
		return Mask{Path: element}, nil
	case map[string]any:
		path, _ := element["path"].(string)
		switch op := element["op"]; {
		case path == "":
			return Mask{}, errors.New("an element of the mask has no path")
		case op == "remove":
			return Mask{Path: path}, nil
		case op == "upsert":
			return Mask{Path: path, Replace: true, Value: element["value"]}, nil
		}
	}
	return Mask{}, errors.New("an element of the mask is neither a path nor an object with op and path")
}
