package com.wardkeeper.pep.servlet;

import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;

/** Waits for the answer of a request that is handled asynchronously. */
final class LaterAnswer implements AsyncListener {
  private final Runnable done;
  private boolean failed;

  LaterAnswer(Runnable done) {
    this.done = done;
  }

  @Override
  public void onComplete(AsyncEvent event) {
    if (!failed) {
      done.run();
    }
  }

  @Override
  public void onTimeout(AsyncEvent event) {
    failed = true;
  }

  @Override
  public void onError(AsyncEvent event) {
    failed = true;
  }

  @Override
  public void onStartAsync(AsyncEvent event) {
    event.getAsyncContext().addListener(this); // a new cycle forgets its listeners
  }
}
