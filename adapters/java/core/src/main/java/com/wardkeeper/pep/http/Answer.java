package com.wardkeeper.pep.http;

/**
 * A complete answer.
 *
 * @param status 200, or 409 to a claim
 * @param body as it was sent
 * @param reusable whether the connection can be used again
 */
@SuppressWarnings("ArrayRecordComponent") // bytes are not copied
public record Answer(int status, byte[] body, boolean reusable) {}
