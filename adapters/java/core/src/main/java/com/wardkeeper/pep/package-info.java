/**
 * A policy enforcement point: ask Wardkeeper, or another AuthZEN decision point, and enforce the
 * answer.
 *
 * <ul>
 *   <li>{@link com.wardkeeper.pep.Client} asks.
 *   <li>{@link com.wardkeeper.pep.Enforcer} enforces: it does what obliges, and tells what a page
 *       offers.
 *   <li>{@link com.wardkeeper.pep.Checker} judges HTTP requests by a route file.
 * </ul>
 *
 * <p>Nothing here may be null unless that is said. The core needs the JDK alone.
 */
package com.wardkeeper.pep;
