// Package client sends requests of the commands to a running server, and says in words what is wrong with its address, its
// certificate or the credentials. It does not know what is asked.
package client
