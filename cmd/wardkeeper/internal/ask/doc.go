// Package ask is the client behind `wardkeeper ask`: it words a question ([Options.Question]), puts it to a server or to a
// handler in this process ([Client]), and words the decision for people ([Decision.Text]). It decides nothing: whatever is not
// clearly a decision is an error.
package ask
