package com.wardkeeper.pep;

/**
 * The endpoints of a decision point: paths, or the URLs of its metadata. Each is empty where it is
 * not offered.
 *
 * @param evaluation answers one question
 * @param evaluations answers many
 * @param searchSubject searches for subjects
 * @param searchResource searches for resources
 * @param searchAction searches for actions
 * @param guardClaim claims guards, which is Wardkeeper's own
 */
public record Endpoints(
    String evaluation,
    String evaluations,
    String searchSubject,
    String searchResource,
    String searchAction,
    String guardClaim) {
  static final Endpoints DEFAULT =
      new Endpoints(
          "/access/v1/evaluation",
          "/access/v1/evaluations",
          "/access/v1/search/subject",
          "/access/v1/search/resource",
          "/access/v1/search/action",
          "/v1/guards/claim");
}
