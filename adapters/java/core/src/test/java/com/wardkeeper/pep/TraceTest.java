package com.wardkeeper.pep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TraceTest {
  private static Trace of(Map<String, List<String>> fields) {
    return Trace.of(name -> fields.getOrDefault(name, List.of()));
  }

  @Test
  void ids() {
    assertEquals("r-1", of(Map.of("x-request-id", List.of("r-1"))).requestId());
    for (List<String> ids :
        List.of(
            List.<String>of(),
            List.of("a", "b"),
            List.of("a b"),
            List.of(""),
            List.of("x".repeat(129)))) {
      String made = of(Map.of("x-request-id", ids)).requestId();
      assertTrue(made.matches("[0-9a-f]{32}"), made);
    }
  }

  @Test
  void states() {
    List<String> parent = List.of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    List<String> states = List.of(" a=b, ", ",", "c=d,e=f");
    assertEquals(
        "a=b,c=d,e=f", of(Map.of("traceparent", parent, "tracestate", states)).tracestate());
    assertEquals("", of(Map.of("tracestate", states)).tracestate());
    assertEquals(
        "", of(Map.of("traceparent", List.of("a", "b"), "tracestate", states)).traceparent());
    List<String> blanks = List.of(" \t,".repeat(1 << 20) + "x" + " \t,".repeat(1 << 20) + "y");
    assertEquals("", of(Map.of("traceparent", parent, "tracestate", blanks)).tracestate());
  }
}
