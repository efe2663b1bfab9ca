package world

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Fresh returns the same world with nothing in its diagrams but some conditions, so that there is space to say more of them. It has no
// inputs. It panics as operations on diagrams do.
func (w *World) Fresh(conditions ...diagram.Node) (fresh *World, copies []diagram.Node) {
	same := *w
	store, copies := w.Store.Fresh(append(slices.Clone(conditions), w.Valid))
	same.Store, same.Inputs, same.Valid = store, nil, copies[len(conditions)]
	same.fresh, same.parts = map[diagram.Node]string{}, map[diagram.Node]string{}
	return &same, copies[:len(conditions)]
}
