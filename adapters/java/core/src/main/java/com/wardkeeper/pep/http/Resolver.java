package com.wardkeeper.pep.http;

import com.wardkeeper.pep.TimedOutException;
import com.wardkeeper.pep.UnreachableException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Resolves a name within a deadline. The system's function has none, so it runs in a thread: one at
 * a time.
 */
final class Resolver {
  private final String host;
  private final ReentrantLock lock = new ReentrantLock();
  private FutureTask<InetAddress[]> running;

  Resolver(String host) {
    this.host = host;
  }

  InetAddress[] resolve(Deadline deadline) throws InterruptedException {
    try {
      return isAddress()
          ? InetAddress.getAllByName(host)
          : lookup().get(deadline.nanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw new TimedOutException();
    } catch (ExecutionException | UnknownHostException e) {
      throw new UnreachableException("the decision point cannot be reached: its name is not found");
    }
  }

  private boolean isAddress() {
    if (host.indexOf(':') >= 0) {
      return true;
    }
    for (int i = 0; i < host.length(); i++) {
      char c = host.charAt(i);
      if (c != '.' && (c < '0' || c > '9')) {
        return false;
      }
    }
    return true;
  }

  private FutureTask<InetAddress[]> lookup() {
    lock.lock();
    try {
      if (running == null || running.isDone()) {
        running = new FutureTask<>(() -> InetAddress.getAllByName(host));
        Thread thread = new Thread(running, "wardkeeper-resolver");
        thread.setDaemon(true);
        thread.start();
      }
      return running;
    } finally {
      lock.unlock();
    }
  }
}
