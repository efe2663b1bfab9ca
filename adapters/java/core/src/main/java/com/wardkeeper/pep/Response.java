package com.wardkeeper.pep;

import java.util.Map;

/**
 * The answer to one evaluation.
 *
 * @param decision whether it is allowed, if the application does what the context obliges it to
 * @param context as it was sent, guards included; empty if there was none
 */
public record Response(boolean decision, Map<String, Object> context) {}
