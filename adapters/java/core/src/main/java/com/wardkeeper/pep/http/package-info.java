/** HTTP/1.1 over TCP, TLS and Unix sockets, as a client of one server needs it. */
package com.wardkeeper.pep.http;
