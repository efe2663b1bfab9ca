package directory

import "github.com/wardkeeper/wardkeeper/pdp/membership"

// prepareLists builds what lists need, so that no request waits for it: all orders of the first directory, and of a later one
// whatever lists of the previous directory have used. It ends once the directory is not in force any more.
func (d *Directory) prepareLists(previous *Directory, inForce func() bool) {
	for order := range orderCount {
		if inForce() && (previous == nil || previous.rankings[order].built.Load()) {
			d.ranking(listKey{order: order})
		}
	}
	if previous == nil {
		return
	}
	if inForce() && previous.search.built.Load() {
		d.search.build()
	}
	previous.lists.Range(func(key, kept any) bool {
		if kept.(*list).built.Load() {
			if r, ok := d.ranking(key.(listKey)); ok {
				d.listRanks(key.(listKey), r)
			}
		}
		return inForce()
	})
}

// orderCount is the number of orders: two for each sort key, ascending and descending.
const orderCount = 2 * len(membership.SortKeys)
