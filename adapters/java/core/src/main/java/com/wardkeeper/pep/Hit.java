package com.wardkeeper.pep;

import java.util.List;
import java.util.Map;

/**
 * A result of a search: an entity, or an action.
 *
 * @param type of an entity; empty for an action
 * @param id of an entity; empty for an action
 * @param name of an action; empty for an entity
 * @param properties what is said of it; may be empty
 * @param obligations what doing the action would oblige to; may be empty
 */
public record Hit(
    String type,
    String id,
    String name,
    Map<String, Object> properties,
    List<Object> obligations) {}
