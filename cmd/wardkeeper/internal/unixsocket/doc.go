// Package unixsocket listens on Unix sockets with a path, and connects to them. [Listen] takes over a socket that a killed
// server left behind, fails if another server is alive, and touches no other file. A socket never grants more access than its
// mode. The package knows neither HTTP nor settings. It does not support abstract sockets: any process can take their names.
package unixsocket
