package com.wardkeeper.pep;

import java.util.List;

/**
 * A page of a list.
 *
 * @param hits the results
 * @param nextToken continues the list; empty if it is complete
 */
public record Page(List<Hit> hits, String nextToken) {}
