// Package guard keeps two allowed changes from breaking a rule together. A guard is what an allow stood on: the records and
// their versions. A claim takes those records for one change, for a limited time. Start at [Record]; sealer.go makes the
// tokens that callers bring back, and lock.go says what a claim takes.
//
// A change is decided by the records of the subject, of the user asked about, and of the organizations. A claim takes what the
// change will write exclusively, and the rest together with others, as readers and writers of one record do. So decisions that
// are carried out have the effect of some order, one after another, in which each was allowed (policies/DOMAIN.md):
//
//   - A user keeps a location (REG-I2), a default location among them (REG-I3, REG-I4, REG-I6), and one role at each (ALL-6):
//     two changes of one user exclude each other.
//   - An organization keeps an administrator: nobody removes their own power (ALL-9), so whoever acts stays. Two who remove
//     each other exclude each other, because each claim needs the record that the other one takes.
//   - No id and no username is given to two new users (SYS-2, PRA-3), no id to two new locations (SYS-11), and no change of a
//     user depends on a tree of locations that another change is rebuilding.
package guard
