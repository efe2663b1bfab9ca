<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Testing;

use Wardkeeper\Pep\BadStatus;
use Wardkeeper\Pep\Http\Address;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Transport;

/** A decision point for tests of one's own code, within the process: new Client($pdp) asks it.
 *
 * It answers what the test says, and records what it is asked. It denies what no call permits; the last call for an action counts.
 *
 * An allow has a guard if the question asks for one. It can be claimed once: after that, claims of it are refused as taken, and if
 * the change is not permitted any more, as denied.
 */
final class FakePdp implements Transport
{
    private const URL = 'http://pdp.test';
    private const CLAIM = '/v1/guards/claim';
    private const PAGE = 100; // results

    /** @var list<Asked> the questions, in their order */
    public array $asked = [];

    /** @var array<string, list<array<string, mixed>>> what searches for a subject, a resource or an action find */
    public array $lists = ['subject' => [], 'resource' => [], 'action' => []];

    /** @var array<string, \Closure(Asked): array<string, mixed>> */
    private array $rules = [];
    /** @var array<string, string> what guards are bound to, by their tokens */
    private array $guards = [];
    /** @var array<string, true> tokens */
    private array $claimed = [];
    private bool $down = false;

    /** Permits an action, with obligations such as ['id' => 'X/mail', 'type' => 'notification', 'properties' => [...]].
     *
     * @param list<array<string, mixed>> $obligations
     */
    public function permit(string $action, array $obligations = []): void
    {
        foreach ($obligations as &$obligation) {
            $obligation['properties'] = (object) ($obligation['properties'] ?? []);
        }
        $context = $obligations === [] ? [] : ['context' => ['obligations' => $obligations]];
        $this->answer($action, static fn () => ['decision' => true] + $context);
    }

    /** Permits an action once the person has confirmed it. */
    public function permitOnceConfirmed(string $action, string $cause = 'multiple_locations'): void
    {
        $confirm = ['id' => "TEST/$cause", 'type' => 'custom', 'properties' => ['action' => 'confirm', 'cause' => $cause]];
        $this->answer($action, static fn (Asked $asked) => ['decision' => true]
            + (($asked->context['confirmed'] ?? false) === true ? [] : ['context' => ['obligations' => [$confirm]]]));
    }

    /** Denies an action, with a reason and perhaps advice. */
    public function deny(
        string $action,
        string $code = 'not_permitted',
        string $message = 'You may not do this.',
        string $advice = '',
    ): void {
        $context = ['reasons' => [['code' => $code, 'message' => $message]]]
            + ($advice === '' ? [] : ['advice' => [['code' => 'advice', 'message' => $advice]]]);
        $this->answer($action, static fn () => ['decision' => false, 'context' => $context]);
    }

    /** Answers questions about an action by a function.
     *
     * @param \Closure(Asked): array<string, mixed> $rule
     */
    public function answer(string $action, \Closure $rule): void
    {
        $this->rules[$action] = $rule;
    }

    /** Answers with status 503 from now on, as a decision point that is overloaded. false ends that. */
    public function fail(bool $down = true): void
    {
        $this->down = $down;
    }

    public function address(): Address
    {
        return Address::of(self::URL);
    }

    public function send(string $method, string $path, array $fields, string $body, float $seconds): string
    {
        if ($this->down) {
            throw new BadStatus(503);
        }
        if ($path === '/.well-known/authzen-configuration') {
            return Json::encode(self::metadata());
        }
        $message = $body === '' ? [] : Json::parseObject($body);
        return Json::encode(match ($path) {
            '/access/v1/evaluation' => $this->guarded($this->decide($message, $fields), $message),
            '/access/v1/evaluations' => ['evaluations' => array_map(function (\stdClass $question) use ($fields) {
                $question = get_object_vars($question);
                return $this->guarded($this->decide($question, $fields), $question);
            }, $message['evaluations'])],
            '/access/v1/search/subject', '/access/v1/search/resource', '/access/v1/search/action'
                => $this->page(basename($path), $message['page'] ?? new \stdClass()),
            default => throw new BadStatus(404),
        });
    }

    public function claim(string $path, array $fields, string $body, float $seconds): array
    {
        if ($this->down || $path !== self::CLAIM) {
            throw new BadStatus($this->down ? 503 : 404);
        }
        $message = Json::parseObject($body);
        $token = $message['guard'];
        unset($message['guard']);
        if (($this->guards[$token] ?? null) !== self::bound($message)) {
            throw new BadStatus(400);
        }
        $answer = $this->decide($message + ['guard' => $token], $fields);
        $allowed = ($answer['decision'] ?? false) === true;
        if ($allowed && !isset($this->claimed[$token])) {
            $this->claimed[$token] = true;
            return [200, Json::encode(['claimed' => true, 'expires' => self::expires(), 'evaluation' => $answer])];
        }
        return [409, Json::encode([
            'claimed' => false, 'code' => $allowed ? 'taken' : 'denied', 'error' => 'It cannot be claimed.',
            'evaluation' => $this->guarded($answer, $message),
        ])];
    }

    /** Adds a guard to an allow, if the question asks for one.
     *
     * @param array<string, mixed> $answer
     * @param array<mixed> $message
     * @return array<string, mixed>
     */
    private function guarded(array $answer, array $message): array
    {
        if (($answer['decision'] ?? false) !== true || !in_array('guard', (array) ($message['context']->include ?? []), true)) {
            return $answer;
        }
        $token = bin2hex(random_bytes(16));
        $this->guards[$token] = self::bound($message);
        $guard = ['token' => $token, 'expires' => self::expires(), 'records' => []];
        return ['context' => ['guard' => $guard] + (array) ($answer['context'] ?? [])] + $answer;
    }

    /** Returns what a guard is bound to: the question, without what only concerns the answer.
     *
     * @param array<mixed> $message
     */
    private static function bound(array $message): string
    {
        $context = array_diff_key((array) ($message['context'] ?? []), ['include' => 0, 'at_least' => 0]);
        return Json::encode(['context' => $context] + $message);
    }

    private static function expires(): string
    {
        return gmdate('Y-m-d\TH:i:s.000\Z', time() + 10);
    }

    /**
     * @param array<mixed> $message
     * @param array<string, string> $fields
     * @return array<string, mixed>
     */
    private function decide(array $message, array $fields): array
    {
        $context = get_object_vars($message['context'] ?? new \stdClass());
        $asked = new Asked(
            $message['subject']->id,
            $message['action']->name,
            $message['resource']->id,
            $context,
            $message,
            $fields
        );
        $this->asked[] = $asked;
        $rule = $this->rules[$asked->action] ?? null;
        return $rule === null ? ['decision' => false] : $rule($asked);
    }

    /** @return array<string, mixed> */
    private function page(string $kind, \stdClass $page): array
    {
        $start = (int) ($page->token ?? 0);
        $end = $start + ($page->limit ?? self::PAGE);
        return [
            'results' => array_slice($this->lists[$kind], $start, $end - $start),
            'page' => ['next_token' => $end < count($this->lists[$kind]) ? (string) $end : ''],
        ];
    }

    /** @return array<string, string> */
    private static function metadata(): array
    {
        $api = self::URL . '/access/v1/';
        return [
            'policy_decision_point' => self::URL,
            'access_evaluation_endpoint' => $api . 'evaluation',
            'access_evaluations_endpoint' => $api . 'evaluations',
            'search_subject_endpoint' => $api . 'search/subject',
            'search_resource_endpoint' => $api . 'search/resource',
            'search_action_endpoint' => $api . 'search/action',
            'guard_claim_endpoint' => self::URL . self::CLAIM,
        ];
    }
}
