package com.wardkeeper.pep.http;

import java.io.IOException;

/** The thread was interrupted. It still is. */
final class InterruptedWaitException extends IOException {
  private static final long serialVersionUID = 1L;
}
