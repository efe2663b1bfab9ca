// Package smt has the tables of policies/DOMAIN.md a second time, for an SMT solver: stages 1 and 2 of the judgment of every model, in SMT-LIB,
// each formula with the id of its rule. They were written from policies/DOMAIN.md alone, by somebody who had not seen the policy in Rego.
//
// Its test asks z3 about every class of cases that package explore finds in the built-in policy: whether a case of the class has
// another outcome by the tables, and whether the classes together have all cases of a small world. An outcome is the code and rule of a
// denial at stage 1 or 2, or that both are passed. Stage 3, obligations and advice are not in the tables. Nothing imports the package.
// Start reading at relations.smt2, then regional.smt2, with policies/DOMAIN.md beside them.
package smt
