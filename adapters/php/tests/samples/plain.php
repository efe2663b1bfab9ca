<?php

// The sample application in plain PHP.

declare(strict_types=1);

use Wardkeeper\Pep\Front;

require __DIR__ . '/application.php';

$checker = checker();
$result = Front::protect($checker);

[$path, $query] = explode('?', $_SERVER['REQUEST_URI'], 2) + [1 => ''];
$path = rawurldecode($path);
if (str_ends_with($path, '/fails')) {
    throw new RuntimeException('the database is away');
}
$answer = ['method' => $_SERVER['REQUEST_METHOD'], 'path' => $path, 'subject' => $result->subject];
if ($path === '/done') {
    $answer = done();
} elseif (str_starts_with($path, '/can/')) {
    $answer = $checker->enforcer->can(actions($query), $result->about(substr($path, strlen('/can/'))));
}
header('Content-Type: application/json');
if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
    echo json_encode($answer, JSON_THROW_ON_ERROR);
}
