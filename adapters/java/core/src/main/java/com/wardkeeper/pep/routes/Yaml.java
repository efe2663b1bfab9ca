package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.events.AliasEvent;
import org.yaml.snakeyaml.events.Event;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.representer.Representer;
import org.yaml.snakeyaml.resolver.Resolver;

/** Reads YAML with SnakeYAML, as YAML 1.2 has it: without aliases and keys that are there twice. */
final class Yaml {
  private final Map<String, Integer> lines = new HashMap<>();
  private final List<Fault> faults = new ArrayList<>();

  private Yaml() {}

  /**
   * Resolves what is written plainly. SnakeYAML has YAML 1.1, in which "no" and "on" are booleans.
   */
  private static final class Plain extends Resolver {
    @Override
    protected void addImplicitResolvers() {
      addImplicitResolver(Tag.NULL, Pattern.compile("^(?:~|null|Null|NULL|)$"), "~nN\0");
      addImplicitResolver(Tag.NULL, Pattern.compile("^$"), null);
      addImplicitResolver(
          Tag.BOOL, Pattern.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF");
      addImplicitResolver(
          Tag.INT, Pattern.compile("^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), "-+0123456789");
      addImplicitResolver(
          Tag.FLOAT,
          Pattern.compile(
              "^(?:[-+]?(?:\\.[0-9]+|[0-9]+(?:\\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
                  + "|[-+]?\\.(?:inf|Inf|INF)|\\.(?:nan|NaN|NAN))$"),
          "-+.0123456789");
      addImplicitResolver(
          Tag.TIMESTAMP,
          Pattern.compile("^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$"),
          "0123456789");
      addImplicitResolver(Tag.MERGE, Pattern.compile("^<<$"), "<");
    }
  }

  static Document document(byte[] data) {
    try {
      return new Yaml().read(new String(data, StandardCharsets.UTF_8));
    } catch (MarkedYAMLException e) {
      String problem = e.getProblem() == null ? "it cannot be read" : e.getProblem();
      if (problem.contains("expected ',' or '}'")) {
        problem += "; within { } put a path with parameters in quotes";
      }
      int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
      throw RouteFileException.of("this is not YAML: " + problem, line);
    } catch (YAMLException e) {
      throw RouteFileException.of("this is not YAML: it is nested too deeply, or not UTF-8", 0);
    }
  }

  private Document read(String text) {
    LoaderOptions options = new LoaderOptions();
    options.setNestingDepthLimit(Json.MAX_DEPTH);
    options.setCodePointLimit(RouteTable.MAX_FILE);
    DumperOptions dumper = new DumperOptions();
    org.yaml.snakeyaml.Yaml yaml =
        new org.yaml.snakeyaml.Yaml(
            new SafeConstructor(options), new Representer(dumper), dumper, options, new Plain());
    for (Event event : yaml.parse(new StringReader(text))) {
      if (event instanceof AliasEvent) {
        throw RouteFileException.of(
            "this is an alias: write the value itself", event.getStartMark().getLine() + 1);
      }
    }
    Node root = null;
    for (Node node : yaml.composeAll(new StringReader(text))) {
      if (root != null) {
        throw RouteFileException.of(
            "a second document begins: remove it", node.getStartMark().getLine() + 1);
      }
      root = node;
    }
    if (root == null) {
      throw RouteFileException.of("the file is empty: begin it with version: 1", 0);
    }
    Object value = value(root, "");
    if (!faults.isEmpty()) {
      throw new RouteFileException(faults);
    }
    return new Document(value, lines);
  }

  private Object value(Node node, String where) {
    lines.put(where, node.getStartMark().getLine() + 1);
    if (node instanceof SequenceNode sequence) {
      List<Object> elements = new ArrayList<>();
      for (Node element : sequence.getValue()) {
        elements.add(value(element, where + "[" + elements.size() + "]"));
      }
      return elements;
    }
    if (!(node instanceof MappingNode mapping)) {
      return scalar(node.getTag(), ((ScalarNode) node).getValue());
    }
    Map<String, Object> members = new LinkedHashMap<>();
    for (NodeTuple tuple : mapping.getValue()) {
      Node key = tuple.getKeyNode();
      int line = key.getStartMark().getLine() + 1;
      if (!(key instanceof ScalarNode name) || !key.getTag().equals(Tag.STR)) {
        faults.add(new Fault(where, "a key is not a text: put it in quotes if it is meant", line));
      } else if (members.containsKey(name.getValue())) {
        String message = "\"" + name.getValue() + "\" is there twice: remove one of them";
        faults.add(new Fault(where, message, line));
      } else {
        String at = where.isEmpty() ? name.getValue() : where + "." + name.getValue();
        members.put(name.getValue(), value(tuple.getValueNode(), at));
      }
    }
    return members;
  }

  private static Object scalar(Tag tag, String text) {
    if (tag.equals(Tag.STR)) {
      return text;
    }
    if (tag.equals(Tag.NULL)) {
      return null;
    }
    if (tag.equals(Tag.BOOL)) {
      return text.equalsIgnoreCase("true");
    }
    if (tag.equals(Tag.INT) || tag.equals(Tag.FLOAT)) {
      try {
        return Json.parse(text.getBytes(StandardCharsets.UTF_8));
      } catch (MalformedJsonException e) {
        return new Document.Odd("a number that JSON does not have");
      }
    }
    return new Document.Odd("not a text");
  }
}
