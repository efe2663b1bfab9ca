// Package unixsocket listens on Unix sockets with a path, and connects to them. [Listen] takes over a socket that a killed
// server has left, gives way to a server that is alive, and touches no other file; a socket is never open wider than its mode
// says. The package knows neither HTTP nor settings, and offers no abstract sockets: whoever comes first owns their names.
package unixsocket
