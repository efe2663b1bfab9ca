/** A decision point for tests of one's own code. */
package com.wardkeeper.pep.testing;
