// Package golden reads golden decisions as people write them: YAML files below decisions/, over directories below
// directories/. [ReadTree] makes of them the one document that a bundle contains; the tests ask each question through every
// interface. Package pdp/proof runs them; nothing is decided here.
package golden
