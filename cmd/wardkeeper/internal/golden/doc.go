// Package golden reads golden decisions from the files that people write: YAML files below decisions/, over directories below
// directories/. [ReadTree] combines them into the one document that a bundle contains; the tests ask each question through
// every interface. This package decides nothing: package pdp/proof runs the decisions.
package golden
