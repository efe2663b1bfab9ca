// Package record reads records of users and locations strictly, and checks them against policies/DOMAIN.md section 1.
//
// A [Validator] does so for single records by the vocabulary of one policy, and joins a user with the [Tree] of each of
// its organizations. [ReadDocument] does so for a whole directory. What is wrong is collected in [Faults], which name
// records and members but never quote what a record holds. Formats differ only in their [Tokenizer]; all checks lie behind
// it. The package also packs records for the store that sidecars share (packed.go, encode.go). It does no I/O.
package record
