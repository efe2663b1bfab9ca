<?php

declare(strict_types=1);

// Loads the classes of this package where Composer does not.
spl_autoload_register(static function (string $class): void {
    $prefix = 'Wardkeeper\\Pep\\';
    if (str_starts_with($class, $prefix)) {
        $file = __DIR__ . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
