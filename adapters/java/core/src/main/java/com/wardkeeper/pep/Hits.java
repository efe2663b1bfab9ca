package com.wardkeeper.pep;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.Spliterators;
import java.util.function.Consumer;

/** Pages through a list. It has not too many pages, and no token comes twice (PEP-8). */
final class Hits extends Spliterators.AbstractSpliterator<Hit> {
  /** A decision point that lists a million results has pages of a hundred and more. */
  private static final int MAX_PAGES = 10_000;

  private final Client client;
  private final Search.Kind kind;
  private final Deque<Hit> page = new ArrayDeque<>();
  private final Set<String> followed = new HashSet<>();
  private Search next; // null at the end

  Hits(Client client, Search.Kind kind, Search search) {
    super(Long.MAX_VALUE, ORDERED | NONNULL);
    this.client = client;
    this.kind = kind;
    this.next = search;
    followed.add(search.token());
  }

  @Override
  public boolean tryAdvance(Consumer<? super Hit> action) {
    while (page.isEmpty()) {
      if (next == null) {
        return false;
      }
      turn();
    }
    action.accept(page.remove());
    return true;
  }

  private void turn() {
    Page turned = client.page(kind, next);
    String token = turned.nextToken();
    if (token.isEmpty()) {
      next = null;
    } else if (!followed.add(token)) {
      throw new NoAnswerException("the decision point continues the list where it has been");
    } else if (followed.size() > MAX_PAGES) {
      throw new NoAnswerException(
          "the list has more than " + MAX_PAGES + " pages: ask for larger ones");
    } else {
      next = next.after(token);
    }
    page.addAll(turned.hits());
  }
}
