// Package grpc protects a server of google.golang.org/grpc: calls reach their handlers only if the decision point allows
// them. For each method the application supplies a function that turns a call into a question, because only the application
// knows its messages; a method without one is denied. Start reading at [New]; adapters/grpc/README.md shows how to use it.
package grpc
