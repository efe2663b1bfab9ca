// Package pdp is the decision engine. It takes a question and the policy in force, has package facts gather the facts
// that the policy reads, evaluates the policy, and reads the answer strictly: any failure is an error or a denial, never
// an allow. It answers single questions, batches, searches and, for clients of OPA's API, documents. It contains no rule
// of any model, no HTTP and no membership source. Start reading at [Engine.Decide]; ARCHITECTURE.md follows one question
// through the engine.
package pdp
