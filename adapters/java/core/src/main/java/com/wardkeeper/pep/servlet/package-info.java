/** Protects servlets: requests pass only if the decision point allows them. */
package com.wardkeeper.pep.servlet;
