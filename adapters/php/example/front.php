<?php

// A front that protects an application that cannot be changed: it lets through what may pass, and tells it who asks. nginx has
// php-fpm run it for every request, in an environment such as
//
//     UPSTREAM=127.0.0.1:9000 PDP_URL=unix:/run/wardkeeper/pdp.sock ROUTES_FILE=routes.yaml

declare(strict_types=1);

use Wardkeeper\Pep\Checker;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Front;
use Wardkeeper\Pep\Routes\Table;

require getenv('AUTOLOAD') ?: __DIR__ . '/vendor/autoload.php';

const HOP_BY_HOP = [
    'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-connection', 'proxy-authorization',
];

// Without handlers, the application is told of its obligations, and does those that the route file names.
$client = new Client(getenv('PDP_URL'), timeout: (float) (getenv('PDP_TIMEOUT') ?: 1));
$told = Front::protect(new Checker(Table::load(getenv('ROUTES_FILE')), $client))->fields();

$body = file_get_contents('php://input');
$fields = ['Host: ' . $_SERVER['HTTP_HOST'], 'Connection: close'];
$replaced = [...HOP_BY_HOP, ...array_map(strtolower(...), array_keys($told)), 'host', 'content-length', 'content-type'];
foreach ($_SERVER as $key => $value) {
    $name = str_starts_with($key, 'HTTP_') ? strtolower(strtr(substr($key, strlen('HTTP_')), '_', '-')) : 'host';
    if (!in_array($name, $replaced, true)) {
        $fields[] = "$name: $value";
    }
}
foreach ($told + ['Content-Type' => $_SERVER['CONTENT_TYPE'] ?? '', 'Content-Length' => strlen($body)] as $name => $value) {
    if ($value !== '') {
        $fields[] = "$name: $value";
    }
}
$context = stream_context_create(['http' => [
    'method' => $_SERVER['REQUEST_METHOD'], 'header' => $fields, 'content' => $body, 'timeout' => 60.0,
    'protocol_version' => '1.1', 'follow_location' => 0, 'ignore_errors' => true,
]]);
$answer = @fopen('http://' . getenv('UPSTREAM') . $_SERVER['REQUEST_URI'], 'rb', false, $context);
if ($answer === false) {
    http_response_code(502);
    exit('The application is away.');
}
http_response_code((int) explode(' ', $http_response_header[0])[1]);
foreach (array_slice($http_response_header, 1) as $field) {
    if (!in_array(strtolower(explode(':', $field)[0]), [...HOP_BY_HOP, 'content-length'], true)) {
        header($field, false);
    }
}
fpassthru($answer);
