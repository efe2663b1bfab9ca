package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.Evaluation;

/**
 * The meaning of a request.
 *
 * @param route the route that matches; null if none does
 * @param question what to ask; null if the route is public, or if there is none
 */
public record Resolution(Route route, Evaluation question) {}
