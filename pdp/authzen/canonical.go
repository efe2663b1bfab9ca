package authzen

// Canonical returns the parts of a question, for its JSON to be compared or hashed: it is the same whatever the order of
// members, and null and empty objects are the same as absent ones.
func (e *Evaluation) Canonical() []any {
	return []any{
		e.Subject.Type, e.Subject.ID, Normalized(e.Subject.Properties), e.Action.Name, Normalized(e.Action.Properties),
		e.Resource.Type, e.Resource.ID, Normalized(e.Resource.Properties), Normalized(e.Context),
	}
}

// Normalized returns an object without nulls, or nil if it is empty: null and empty mean the same as absent.
func Normalized(members map[string]any) map[string]any {
	var all map[string]any
	for name, value := range members {
		if value == nil {
			continue
		}
		if all == nil {
			all = make(map[string]any, len(members))
		}
		all[name] = value
	}
	return all
}
