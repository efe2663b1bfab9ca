// Package proof checks that a policy makes the decisions that are expected of it: it compares the golden decisions in a
// bundle with those of the engine, and it holds properties against every case of small worlds, which package explore runs the
// policy's plan over. It reads neither bundles nor directory files; callers pass both. Start reading at [Golden.Check] and [Verify].
package proof
