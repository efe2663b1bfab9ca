/** Verifies JSON Web Tokens with the public keys of their issuer. */
package com.wardkeeper.pep.identity;
