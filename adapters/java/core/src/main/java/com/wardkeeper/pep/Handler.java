package com.wardkeeper.pep;

import java.util.function.Predicate;

/**
 * Does obligations of one kind. No action follows a denial, so both tasks are then run (PEP-4).
 *
 * @param can whether an obligation can be done, for instance a notification by its channel; if it
 *     throws, the obligation cannot
 * @param before run before the action; if it throws, the action is denied
 * @param after run once the action has succeeded; the application has to repeat one that has thrown
 */
public record Handler(Predicate<Obligation> can, Task before, Task after) {
  /**
   * The kind of the obligation to have the person confirm. If it has a handler, which needs no
   * tasks, an allow with it becomes {@link Verdict#CONFIRMATION_REQUIRED}, and the application asks
   * again with {@code confirmed} in the context.
   */
  public static final String CONFIRM = "custom/confirm";

  /** The kind of the obligation to show a warning: {@link Outcome#warnings} has them. */
  public static final String WARN = "custom/warn";

  /** Does an obligation. */
  @FunctionalInterface
  public interface Task {
    /**
     * Does it.
     *
     * @throws Exception if it cannot
     */
    void run(Obligation obligation) throws Exception;
  }

  private static final Task NOTHING = obligation -> {};

  /** Returns a handler that runs a task before the action. */
  public static Handler before(Task task) {
    return new Handler(obligation -> true, task, NOTHING);
  }

  /** Returns a handler that runs a task once the action has succeeded. */
  public static Handler after(Task task) {
    return new Handler(obligation -> true, NOTHING, task);
  }

  /**
   * Returns a handler that runs nothing: the page does it, as with {@link #CONFIRM} and {@link
   * #WARN}.
   */
  public static Handler shown() {
    return new Handler(obligation -> true, NOTHING, NOTHING);
  }

  /** Returns the handler for those obligations alone that a predicate accepts. */
  public Handler when(Predicate<Obligation> accepts) {
    return new Handler(accepts, before, after);
  }

  boolean isDueAfter() {
    return after != NOTHING;
  }
}
