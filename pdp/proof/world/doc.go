// Package world describes small worlds: a directory with a few locations and two people, and a question about them, of which
// everything that a decision may depend on is a variable. [New] makes the input of the policy as a function of the variables, as package
// facts would build it, and [World.Case] the directory and the question for given values. Tests hold the two together.
package world
