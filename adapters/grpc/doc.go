// Package grpc protects a server of google.golang.org/grpc: calls reach their handlers only if the decision point allows them. What a method
// asks is a function of the application's, since only it knows what its messages mean; a method without one is denied. Start reading at
// [New]; adapters/grpc/README.md shows how to use it.
package grpc
