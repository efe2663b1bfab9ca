// Package record reads records of users and locations strictly, and checks them against policies/DOMAIN.md section 1.
//
// A [Validator] checks single records against the vocabulary of one policy, and joins a user with the [Tree] of each of its
// organizations. [ReadDocument] checks a whole directory. Errors are collected in [Faults], which name records and members
// but never quote the values in a record. Formats differ only in their [Tokenizer]; all of them go through the same checks.
// The package also packs records for the store that sidecars share (packed.go, encode.go). It does no I/O.
package record
