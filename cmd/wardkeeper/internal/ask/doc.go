// Package ask is the client behind `wardkeeper ask`: it builds a question ([Options.Question]), sends it to a server or to a
// handler in this process ([Ask]), and formats the decision for people ([Decision.Text]). It decides nothing: any response
// that is not clearly a decision is an error.
package ask
