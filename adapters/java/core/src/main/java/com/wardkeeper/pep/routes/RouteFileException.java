package com.wardkeeper.pep.routes;

import java.util.List;
import java.util.stream.Collectors;

/** Has every fault of a route file. There is at least one. */
public final class RouteFileException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;
  private final transient List<Fault> faults;

  RouteFileException(List<Fault> faults) {
    super(faults.stream().map(Fault::toString).collect(Collectors.joining("\n")));
    this.faults = List.copyOf(faults);
  }

  static RouteFileException of(String message, int line) {
    return new RouteFileException(List.of(new Fault("", message, line)));
  }

  /** Returns the faults, in the order of their lines. */
  public List<Fault> faults() {
    return faults;
  }
}
