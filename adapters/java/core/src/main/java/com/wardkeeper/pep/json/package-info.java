/** Strict JSON. */
package com.wardkeeper.pep.json;
