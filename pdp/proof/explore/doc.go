// Package explore runs the plan of a rule once for all cases of a small world. A local of the plan holds a function of the
// world's variables instead of a value, and the path to a statement is the condition under which it is reached. Start reading at
// [Machine.Value].
package explore
