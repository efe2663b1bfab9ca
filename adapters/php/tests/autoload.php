<?php

// Loads the package, from a clean install where VENDOR is its folder, and what Debian has of others.

declare(strict_types=1);

require_once getenv('VENDOR') ? getenv('VENDOR') . '/autoload.php' : __DIR__ . '/../src/autoload.php';
require_once 'Symfony/Component/Yaml/autoload.php';
require_once 'Nyholm/Psr7/autoload.php';
require_once __DIR__ . '/psr-15.php';
