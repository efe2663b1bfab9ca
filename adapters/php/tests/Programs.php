<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests;

/** Starts programs, and ends them. */
final class Programs
{
    private const PATIENCE = 60.0; // seconds

    /** @var list<resource> */
    private array $running = [];

    /** Starts a program in a process of its own, and returns its number.
     *
     * @param list<string> $command
     * @param array<string, string> $environment more variables
     */
    public function start(array $command, array $environment = [], string $log = '/dev/null'): int
    {
        $process = proc_open(
            $command,
            [['file', '/dev/null', 'r'], ['file', $log, 'a'], ['file', $log, 'a']],
            $pipes,
            null,
            $environment + getenv()
        );
        $this->running[] = $process;
        return count($this->running) - 1;
    }

    public function stop(int $number): void
    {
        proc_terminate($this->running[$number]);
        proc_close($this->running[$number]);
    }

    public function stopAll(): void
    {
        foreach ($this->running as $process) {
            if (is_resource($process)) {
                proc_terminate($process);
                proc_close($process);
            }
        }
        $this->running = [];
    }

    /** Forks a server that answers each connection by a function.
     *
     * @param callable(resource): void $serve
     * @return string its address
     */
    public static function serve(callable $serve): string
    {
        $listener = stream_socket_server('tcp://127.0.0.1:0');
        $parent = getmypid();
        if (pcntl_fork() === 0) {
            while (posix_getppid() === $parent) {
                $connection = @stream_socket_accept($listener, 0.5);
                if ($connection !== false) {
                    $serve($connection);
                    fclose($connection);
                }
            }
            posix_kill((int) getmypid(), SIGKILL); // without what the parent does at its end
        }
        return stream_socket_get_name($listener, false);
    }

    /** Returns an address at which nothing listens. */
    public static function freeAddress(): string
    {
        $listener = stream_socket_server('tcp://127.0.0.1:0');
        return stream_socket_get_name($listener, false);
    }

    /** Waits until something listens at an address, such as tcp://HOST:PORT. */
    public static function awaitListener(string $address): void
    {
        $end = microtime(true) + self::PATIENCE;
        while (microtime(true) < $end) {
            $connection = @stream_socket_client($address);
            if ($connection !== false) {
                fclose($connection);
                return;
            }
            usleep(20_000);
        }
        throw new \RuntimeException("nothing listens at $address");
    }
}
