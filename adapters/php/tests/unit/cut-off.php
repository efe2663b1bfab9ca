<?php

// A page that asks. On /slow it is cut off while it waits for the answer.

declare(strict_types=1);

use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Evaluation;

require __DIR__ . '/../autoload.php';

$name = substr($_SERVER['REQUEST_URI'], 1);
register_shutdown_function(static fn () => exit()); // nothing that is registered later is called
if ($name === 'slow') {
    pcntl_async_signals(true);
    pcntl_signal(SIGALRM, static fn () => exit());
    pcntl_alarm(1);
}
$answer = (new Client(getenv('PDP_URL'), timeout: 20))->evaluate(Evaluation::of('alice', 'user.view', $name));
echo $name === 'warm' ? 'kept' : ($answer->decision ? 'permitted' : 'denied');
