// Package proof checks that a policy makes the decisions that are expected of it: it compares the golden decisions in a
// bundle with those of the engine. It reads neither bundles nor directory files; callers pass both. Start reading at
// [Golden.Check].
package proof
