<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Json\Json;

/** The response that a person gets instead of an action: problem details (RFC 9457), or a page for a browser (PEP-9). */
final class Refusal
{
    private const TITLES = [400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 503 => 'Service Unavailable'];
    private const STYLE = 'font:1.1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem';

    /**
     * @param int $status 400, 401, 403 or 503
     * @param string $code bad_request, unauthenticated, denied, confirmation_required or unavailable
     * @param string $detail one sentence for the person
     * @param list<Reason> $reasons
     * @param list<Reason> $advice
     * @param list<Obligation> $confirm what to confirm before asking again
     */
    public function __construct(
        public readonly int $status,
        public readonly string $code,
        public readonly string $detail,
        public readonly array $reasons = [],
        public readonly array $advice = [],
        public readonly array $confirm = [],
        public readonly string $requestId = '',
    ) {
    }

    /** Refuses a request that has no single meaning. */
    public static function badRequest(string $detail): self
    {
        return new self(400, 'bad_request', $detail);
    }

    /** Refuses a request of somebody who has not signed in. */
    public static function unauthenticated(string $detail = 'Sign in first.'): self
    {
        return new self(401, 'unauthenticated', $detail);
    }

    /** Refuses a request that matches no route (PEP-14). */
    public static function noRoute(): self
    {
        return new self(403, 'denied', 'Nobody may do this.', [new Reason('no_route', 'No route allows this request.')]);
    }

    /** Refuses a request about which there is no answer. */
    public static function unavailable(string $detail = 'Whether you may do this could not be found out. Try again.'): self
    {
        return new self(503, 'unavailable', $detail);
    }

    /** Returns the refusal with the id of its request. */
    public function of(string $requestId): self
    {
        return new self($this->status, $this->code, $this->detail, $this->reasons, $this->advice, $this->confirm, $requestId);
    }

    /** Returns the phrase of the status. */
    public function title(): string
    {
        return self::TITLES[$this->status];
    }

    /** Returns the header fields, with the content type of the body for this Accept field.
     *
     * @return array<string, string>
     */
    public function fields(string $accept): array
    {
        $fields = [
            'Content-Type' => self::wantsPage($accept) ? 'text/html; charset=utf-8' : 'application/problem+json',
            'Cache-Control' => 'no-store', 'Vary' => 'Accept', 'X-Content-Type-Options' => 'nosniff',
        ];
        if ($this->status === 401) {
            $fields['WWW-Authenticate'] = 'Bearer';
        } elseif ($this->status === 503) {
            $fields['Retry-After'] = '1';
        }
        if ($this->requestId !== '') {
            $fields['X-Request-ID'] = $this->requestId;
        }
        return $fields;
    }

    /** Returns the body: a page if the Accept field names text/html, else problem details. */
    public function body(string $accept): string
    {
        return self::wantsPage($accept) ? $this->page() : Json::encode($this->problem());
    }

    /** Returns the problem details.
     *
     * @return array<string, mixed>
     */
    public function problem(): array
    {
        return ['title' => $this->title(), 'status' => $this->status, 'code' => $this->code, 'detail' => $this->detail]
            + array_filter([
                'reasons' => array_map(static fn (Reason $reason) => $reason->message(), $this->reasons),
                'advice' => array_map(static fn (Reason $advice) => $advice->message(), $this->advice),
                'confirm' => array_map(static fn (Obligation $obligation) => $obligation->message(), $this->confirm),
                'request_id' => $this->requestId,
            ]);
    }

    private function page(): string
    {
        $sentences = [];
        foreach ([...$this->reasons, ...$this->advice] as $reason) {
            if ($reason->message !== '' && $reason->message !== $this->detail) {
                $sentences[] = $reason->message;
            }
        }
        foreach ($this->confirm as $obligation) {
            $cause = $obligation->properties['cause'] ?? null;
            if (is_string($cause)) {
                $sentences[] = str_replace('_', ' ', $cause);
            }
        }
        $items = implode('', array_map(static fn (string $text) => '<li>' . self::escaped($text) . '</li>', $sentences));
        return '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            . '<meta name="viewport" content="width=device-width"><title>' . $this->title() . '</title></head>'
            . '<body style="' . self::STYLE . '"><h1>' . $this->title() . '</h1><p>'
            . self::escaped($this->detail) . '</p>' . ($items === '' ? '' : "<ul>$items</ul>")
            . ($this->requestId === '' ? '' : '<p><small>Request ' . self::escaped($this->requestId) . '</small></p>')
            . '</body></html>';
    }

    /** Tells whether an Accept field names text/html. */
    private static function wantsPage(string $accept): bool
    {
        foreach (explode(',', $accept) as $part) {
            $parameters = explode(';', $part);
            if (strtolower(trim(array_shift($parameters))) !== 'text/html') {
                continue;
            }
            foreach ($parameters as $parameter) {
                [$name, $value] = explode('=', $parameter, 2) + [1 => ''];
                if (strtolower(trim($name)) === 'q') {
                    return !is_numeric(trim($value)) || (float) $value > 0;
                }
            }
            return true;
        }
        return false;
    }

    private static function escaped(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
    }
}
