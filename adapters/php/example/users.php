<?php

// A user administration of two pages: a list, and a user with buttons for what the person who looks at it may do.
//
//     composer require wardkeeper/pep
//     wardkeeper serve --directory testdata/directories/sample.yaml
//     php -S 127.0.0.1:8000 users.php
//
// Sign in as alice, and look at /users/jane. The password is "secret" for everybody: an application of your own knows better.

declare(strict_types=1);

use Wardkeeper\Pep\Action;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Enforcer;
use Wardkeeper\Pep\Entity;
use Wardkeeper\Pep\Evaluation;
use Wardkeeper\Pep\Front;
use Wardkeeper\Pep\Handler;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\Obligation;
use Wardkeeper\Pep\Refusal;
use Wardkeeper\Pep\Search;
use Wardkeeper\Pep\Verdict;

require getenv('AUTOLOAD') ?: __DIR__ . '/vendor/autoload.php';

const BUTTONS = ['user.edit', 'user.reset_password', 'user.deactivate', 'user.reactivate'];

$pdp = new Client(getenv('PDP_URL') ?: 'http://127.0.0.1:8181', timeout: (float) (getenv('PDP_TIMEOUT') ?: 1));
$enforcer = new Enforcer($pdp, [
    'session_termination' => new Handler(after: endSessions(...)),
    Handler::CONFIRM => new Handler(),
]);

/** Writes to the outbox what another program does. */
function endSessions(Obligation $obligation): void
{
    $outbox = getenv('OUTBOX') ?: 'php://stderr';
    file_put_contents($outbox, "end the sessions of {$obligation->properties['subject']}\n", FILE_APPEND);
}

function escaped(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES);
}

function page(string $title, string $body): void
{
    $title = escaped($title);
    echo "<!doctype html><title>$title</title><h1>$title</h1>$body";
}

/** Shows one page of the users whom the person may view. */
function users(Client $pdp, Evaluation $about): void
{
    $token = is_string($_GET['token'] ?? null) ? $_GET['token'] : '';
    $search = new Search($about->subject, new Action('user.view'), new Entity('user'), $about->context, 5, $token);
    try {
        $found = $pdp->page('resource', $search);
    } catch (NoAnswer) {
        Front::refuse(Refusal::unavailable());
    }
    $rows = '';
    foreach ($found->hits as $hit) {
        $rows .= sprintf('<li><a href="/users/%s">%s</a></li>', rawurlencode($hit->id), escaped($hit->id));
    }
    $more = $found->nextToken === '' ? '' : '<a href="?token=' . rawurlencode($found->nextToken) . '">more</a>';
    page('Users', "<ul>$rows</ul>$more");
}

/** Shows a user. What the person may not do is greyed out: all is asked in one request. */
function user(Enforcer $enforcer, Evaluation $about): void
{
    Front::may($enforcer, $about->withAction('user.view'));
    $buttons = '';
    foreach ($enforcer->can(BUTTONS, $about) as $action => $offered) {
        $path = '/users/' . rawurlencode($about->resource->id) . "/$action";
        $buttons .= "<button formaction=\"$path\"" . ($offered ? '' : ' disabled') . ">$action</button>";
    }
    page($about->resource->id, "<form method=\"post\">$buttons</form>");
}

/** Deactivates a user, once the person has confirmed what there is to confirm. */
function deactivate(Enforcer $enforcer, Evaluation $about): void
{
    $question = $about->withAction('user.deactivate')->withContext(isset($_GET['confirmed']) ? ['confirmed' => true] : []);
    $outcome = $enforcer->ask([$question])[0];
    if ($outcome->verdict === Verdict::ConfirmationRequired) {
        http_response_code(403);
        $causes = '';
        foreach ($outcome->confirm as $obligation) {
            $causes .= '<li>' . escaped(str_replace('_', ' ', (string) $obligation->properties['cause'])) . '</li>';
        }
        page('Go on?', "<ul>$causes</ul><form method=\"post\" action=\"?confirmed=true\"><button>Go on</button></form>");
        return;
    }
    Front::may($enforcer, $question);
    page($about->resource->id, '<p>deactivated</p>');
}

$person = $_SERVER['PHP_AUTH_USER'] ?? '';
if ($person === '' || !hash_equals('secret', $_SERVER['PHP_AUTH_PW'] ?? '')) {
    http_response_code(401);
    header('WWW-Authenticate: Basic realm="clinic"');
    page('Sign in', '');
    exit;
}
$place = ['current_location' => is_string($_GET['at'] ?? null) ? $_GET['at'] : 'metro'];
$path = rawurldecode(explode('?', $_SERVER['REQUEST_URI'], 2)[0]);
$asked = $_SERVER['REQUEST_METHOD'] . ' ' . $path;
if ($asked === 'GET /users') {
    users($pdp, Evaluation::of($person, '', '', context: $place));
} elseif (preg_match('~\AGET /users/([^/]+)\z~', $asked, $match) === 1) {
    user($enforcer, Evaluation::of($person, '', $match[1], context: $place));
} elseif (preg_match('~\APOST /users/([^/]+)/user\.deactivate\z~', $asked, $match) === 1) {
    deactivate($enforcer, Evaluation::of($person, '', $match[1], context: $place));
} else {
    http_response_code(404);
    page('There is no such page', '');
}
