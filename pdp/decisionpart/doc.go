// Package decisionpart has the parts that records of decisions share: whoever writes a record places them, and the decision log
// writes each once for all records of a file. It neither makes nor keeps records. Start at [Record].
package decisionpart
