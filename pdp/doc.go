// Package pdp is the engine that decides. It takes a question and the policy in force, has package facts gather what the
// policy reads, evaluates, and reads the answer strictly: whatever goes wrong is an error or a denial, never an allow. It
// answers single questions, batches, searches and, for clients of OPA's API, documents. It knows no rule of any model, no
// HTTP and no membership source. Start reading at [Engine.Decide]; ARCHITECTURE.md follows one question through it.
package pdp
