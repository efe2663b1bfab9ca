<?php

// What the sample applications of the acceptance suite share (adapters/CONTRACT.md, "The sample application").

declare(strict_types=1);

use Wardkeeper\Pep\Checker;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Handler;
use Wardkeeper\Pep\Obligation;
use Wardkeeper\Pep\Routes\Table;

require_once __DIR__ . '/../autoload.php';

function client(): Client
{
    $settings = [
        'token' => static fn () => trim(file_get_contents(getenv('PDP_TOKEN_FILE'))),
        'caFile' => getenv('PDP_CA_FILE') ?: '',
    ];
    $timeout = getenv('PDP_TIMEOUT');
    return new Client(getenv('PDP_URL'), ...$settings + ($timeout === false ? [] : ['timeout' => (float) $timeout]));
}

/** Records an obligation. The processes of the server share a file. */
function notify(Obligation $obligation): void
{
    file_put_contents(getenv('DONE_FILE'), $obligation->id . "\n", FILE_APPEND | LOCK_EX);
}

/** @return list<string> */
function done(): array
{
    return is_file(getenv('DONE_FILE')) ? file(getenv('DONE_FILE'), FILE_IGNORE_NEW_LINES) : [];
}

function canNotify(Obligation $obligation): bool
{
    return match ($obligation->properties['channel'] ?? '') {
        'fault' => throw new RuntimeException($obligation->properties['to']),
        'email' => true,
        default => false,
    };
}

function checker(): Checker
{
    return new Checker(Table::load(getenv('ROUTES_FILE')), client(), [
        'notification' => new Handler(can: canNotify(...), after: notify(...)),
        Handler::CONFIRM => new Handler(),
    ]);
}

/** Returns the values of the parameter "action", of which PHP's $_GET has the last alone.
 *
 * @return list<string>
 */
function actions(string $query): array
{
    preg_match_all('/(?:^|&)action=([^&]*)/', $query, $matches);
    return array_map(urldecode(...), $matches[1]);
}
