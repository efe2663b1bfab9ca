// Package facts builds what a policy reads: the words of a question as the caller sent them and, under input.facts, the
// membership facts that rules judge by. It declares what it needs of a membership source ([Source], [View]), joins records
// ([User], [Location]) and applies no policy: what is unknown is absent. It knows nothing of policies' tables but what
// [Action] says, and neither evaluates nor decides. Start reading at [Builder.Gather].
package facts
