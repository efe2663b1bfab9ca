// Package facts builds the input of a policy: the question as the caller sent it and, under input.facts, the membership
// facts that rules judge by. It declares what it needs of a membership source ([Source], [View]) and joins records ([User],
// [Location]). It applies no policy: unknown facts are absent. Of a policy's tables it knows only what is in [Action], and
// it neither evaluates nor decides. Start reading at [Builder.Gather].
package facts
