package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Hit;
import com.wardkeeper.pep.Page;
import com.wardkeeper.pep.Search;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.springframework.data.domain.KeysetScrollPosition;
import org.springframework.data.domain.Pageable;
import org.springframework.data.domain.ScrollPosition;
import org.springframework.data.domain.Slice;
import org.springframework.data.domain.SliceImpl;
import org.springframework.data.domain.Window;

/**
 * The list of users as pages of Spring Data. Several threads can use it at the same time. It throws
 * {@link com.wardkeeper.pep.NoAnswerException} if there is no answer.
 */
public final class UserList {
  private static final String TOKEN = "token";

  private final Client client;

  /** Lists what a decision point finds. */
  public UserList(Client client) {
    this.client = client;
  }

  /**
   * Returns the part of the list that follows a position, in one request. The position of a
   * window's last element, in any case {@code window.positionAt(window.size() - 1)}, continues the
   * list.
   *
   * @param search what is searched for, with its limit as the size
   * @param position {@link ScrollPosition#keyset} at first
   */
  public Window<Hit> window(Search search, KeysetScrollPosition position) {
    Object token = position.getKeys().getOrDefault(TOKEN, "");
    Page page = client.page(Search.Kind.RESOURCE, search.after(token.toString()));
    boolean more = !page.nextToken().isEmpty();
    ScrollPosition next = ScrollPosition.forward(Map.of(TOKEN, page.nextToken()));
    return Window.from(page.hits(), index -> next, more);
  }

  /**
   * Returns a page by its number. The decision point lists from the beginning, so that a late page
   * takes as many requests: {@link #window} needs one.
   *
   * @throws IllegalArgumentException if the page is to be sorted, or has no size
   */
  public Slice<Hit> slice(Search search, Pageable pageable) {
    if (pageable.isUnpaged() || pageable.getSort().isSorted()) {
      throw new IllegalArgumentException("the list has pages, in the order of the decision point");
    }
    int size = pageable.getPageSize();
    List<Hit> hits;
    try (Stream<Hit> all = client.search(Search.Kind.RESOURCE, search.limit(size))) {
      hits = all.skip(pageable.getOffset()).limit(size + 1L).toList();
    }
    boolean more = hits.size() > size;
    return new SliceImpl<>(more ? hits.subList(0, size) : hits, pageable, more);
  }

  /**
   * Returns the ids of the whole list, for a query of a repository such as {@code findByIdIn(ids,
   * pageable)}.
   *
   * @throws IllegalArgumentException if there are more than the query can have
   */
  public Set<String> ids(Search search, int most) {
    try (Stream<Hit> all = client.search(Search.Kind.RESOURCE, search)) {
      Set<String> ids = all.limit(most + 1L).map(Hit::id).collect(Collectors.toSet());
      if (ids.size() > most) {
        throw new IllegalArgumentException("the list has more than " + most + " users");
      }
      return ids;
    }
  }
}
