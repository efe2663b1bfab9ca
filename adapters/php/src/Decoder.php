<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;

/** Decodes the answers of the AuthZEN Authorization API 1.0, strictly. What is malformed is no answer.
 *
 * @internal
 */
final class Decoder
{
    /** @throws NoAnswer */
    public static function response(string $body): Response
    {
        return self::answer(self::object($body));
    }

    /**
     * @return list<Response>
     * @throws NoAnswer
     */
    public static function responses(string $body): array
    {
        $answers = self::object($body)['evaluations'] ?? null;
        if (!is_array($answers)) {
            throw self::malformed();
        }
        return array_map(
            static fn ($answer) => $answer instanceof \stdClass ? self::answer(get_object_vars($answer)) : throw self::malformed(),
            $answers
        );
    }

    /** Decodes the answer to a claim. Status, claimed and decision must agree.
     *
     * @throws NoAnswer
     */
    public static function claim(int $status, string $body): Claim
    {
        $members = self::object($body);
        $evaluation = $members['evaluation'] ?? null;
        $claimed = $members['claimed'] ?? null;
        $code = $members['code'] ?? '';
        if (!$evaluation instanceof \stdClass || $claimed !== ($status === 200)) {
            throw self::malformed();
        }
        $response = self::answer(get_object_vars($evaluation));
        if ($claimed && $response->decision) {
            return new Claim(true, $response, self::time($members['expires'] ?? ''));
        }
        return !$claimed && is_string($code) && $code !== '' ? new Claim(false, $response, code: $code) : throw self::malformed();
    }

    private static function time(mixed $text): \DateTimeImmutable
    {
        $isTime = is_string($text) && preg_match('/(?:Z|[+-][0-9]{2}:[0-9]{2})\z/', $text) === 1; // P takes names of zones, too
        foreach ($isTime ? [\DateTimeInterface::RFC3339, 'Y-m-d\TH:i:s.uP'] : [] as $format) {
            $time = \DateTimeImmutable::createFromFormat($format, $text);
            if ($time !== false && \DateTimeImmutable::getLastErrors() === false) {
                return $time;
            }
        }
        throw self::malformed();
    }

    /** @throws NoAnswer */
    public static function page(string $body): Page
    {
        $members = self::object($body);
        $page = $members['page'] ?? new \stdClass();
        $token = $page instanceof \stdClass ? $page->next_token ?? '' : null;
        $results = $members['results'] ?? null;
        if (!is_string($token) || !is_array($results)) {
            throw self::malformed();
        }
        return new Page(array_map(self::hit(...), $results), $token);
    }

    /** @throws NoAnswer */
    public static function metadata(string $body): Metadata
    {
        $members = self::object($body);
        $base = $members['policy_decision_point'] ?? '';
        $endpoints = [];
        foreach (
            [
                'evaluation' => 'access_evaluation_endpoint',
                'evaluations' => 'access_evaluations_endpoint',
                'subject' => 'search_subject_endpoint',
                'resource' => 'search_resource_endpoint',
                'action' => 'search_action_endpoint',
                'guard_claim' => 'guard_claim_endpoint',
            ] as $name => $member
        ) {
            $endpoints[$name] = $members[$member] ?? '';
            if (!is_string($endpoints[$name])) {
                throw self::malformed();
            }
        }
        if (!is_string($base) || $base === '' || $endpoints['evaluation'] === '') {
            throw self::malformed();
        }
        $kinds = $members['supported_obligations'] ?? [];
        return new Metadata($base, $endpoints, array_values(array_filter(is_array($kinds) ? $kinds : [], is_string(...))));
    }

    /** @param array<mixed> $members */
    private static function answer(array $members): Response
    {
        $decision = $members['decision'] ?? null;
        $context = $members['context'] ?? new \stdClass();
        if (!is_bool($decision) || !$context instanceof \stdClass) {
            throw self::malformed();
        }
        return new Response($decision, get_object_vars($context));
    }

    private static function hit(mixed $result): Hit
    {
        $texts = [];
        foreach (['type', 'id', 'name'] as $name) {
            $text = $result instanceof \stdClass ? $result->$name ?? '' : '';
            $texts[] = is_string($text) ? $text : '';
        }
        $properties = $result->properties ?? null;
        $obligations = $result->obligations ?? [];
        $isEntity = $texts[0] !== '' && $texts[1] !== '';
        if (
            (!$isEntity && $texts[2] === '') || !is_array($obligations)
            || ($properties !== null && !$properties instanceof \stdClass)
        ) {
            throw self::malformed();
        }
        return new Hit($texts[0], $texts[1], $texts[2], $properties === null ? null : get_object_vars($properties), $obligations);
    }

    /** @return array<mixed> */
    private static function object(string $body): array
    {
        try {
            return Json::parseObject($body);
        } catch (MalformedJson) { // its message is for senders of requests
            throw self::malformed();
        }
    }

    private static function malformed(): NoAnswer
    {
        return new NoAnswer('the decision point sent a malformed answer');
    }
}
