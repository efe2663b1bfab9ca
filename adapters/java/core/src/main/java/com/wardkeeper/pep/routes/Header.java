package com.wardkeeper.pep.routes;

/**
 * A header field.
 *
 * @param name in any case
 * @param value without blanks around it
 */
public record Header(String name, String value) {}
