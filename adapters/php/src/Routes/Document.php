<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Symfony\Component\Yaml\Exception\ParseException;
use Symfony\Component\Yaml\Yaml;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;

/** Reads the document of a route file: JSON, or YAML where symfony/yaml is installed.
 *
 * @internal
 */
final class Document
{
    public const MAX = 1 << 20; // bytes

    private const MAX_VALUES = 1 << 20; // YAML's aliases make a small file large

    /** Returns the document. Mappings are of stdClass.
     *
     * @throws Faults if it cannot be read at all
     */
    public static function read(string $data): mixed
    {
        if (strlen($data) > self::MAX) {
            throw self::fault('the file is larger than 1 MiB: remove what is not needed');
        }
        if (trim($data) === '') {
            throw self::fault('the file is empty: begin it with version: 1');
        }
        if (str_starts_with(ltrim($data), '{')) {
            try {
                return Json::parse($data);
            } catch (MalformedJson $error) {
                if (json_decode($data) !== null) { // else it may be YAML
                    throw self::fault($error->getMessage());
                }
            }
        }
        if (!class_exists(Yaml::class)) {
            throw self::fault('this is not JSON, and YAML cannot be read here: install symfony/yaml, or write the file as JSON');
        }
        try {
            $root = Yaml::parse($data, Yaml::PARSE_OBJECT_FOR_MAP | Yaml::PARSE_EXCEPTION_ON_INVALID_TYPE | Yaml::PARSE_DATETIME);
        } catch (ParseException $error) {
            throw self::fault('this is not YAML: ' . $error->getMessage());
        }
        $left = self::MAX_VALUES;
        self::bound($root, 1, $left);
        return $root;
    }

    private static function bound(mixed $value, int $depth, int &$left): void
    {
        if ($depth > \Wardkeeper\Pep\Json\Parser::MAX_DEPTH || $left-- < 1) {
            throw self::fault('this is nested too deeply, or has too many values: no route file needs that');
        }
        foreach ($value instanceof \stdClass || is_array($value) ? (array) $value : [] as $member) {
            self::bound($member, $depth + 1, $left);
        }
    }

    private static function fault(string $message): Faults
    {
        return new Faults([new Fault('', $message)]);
    }
}
