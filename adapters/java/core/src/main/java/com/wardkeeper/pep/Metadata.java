package com.wardkeeper.pep;

import java.util.List;

/**
 * A decision point in its own words.
 *
 * @param policyDecisionPoint its URL
 * @param endpoints the URLs of its endpoints
 * @param supportedObligations the types of obligation that it may send
 */
public record Metadata(
    String policyDecisionPoint, Endpoints endpoints, List<String> supportedObligations) {}
