// Package proof checks that a policy decides as it is known to have to: it compares golden decisions, which a bundle brings
// along, with what the engine decides. It reads no bundle and no directory file; callers pass both. Start reading at
// [Golden.Check].
package proof
