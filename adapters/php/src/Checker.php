<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Identity\KeysUnavailable;
use Wardkeeper\Pep\Identity\TokenInvalid;
use Wardkeeper\Pep\Identity\Verifier;
use Wardkeeper\Pep\Routes\Request;
use Wardkeeper\Pep\Routes\Resolution;
use Wardkeeper\Pep\Routes\RouteError;
use Wardkeeper\Pep\Routes\Table;

/** Checks HTTP requests: finds out by the route file what one means, asks, and tells whether it may pass. It sends no response. */
final class Checker
{
    /** For questions that are not about a request, such as what a page offers. */
    public readonly Enforcer $enforcer;

    private readonly \Closure $verify;
    private readonly \Closure $log;
    private readonly bool $tells;

    /**
     * @param Table $table the route file
     * @param Decider $decider answers questions, such as a Client
     * @param array<string, Handler>|null $handlers what the application can do (see Enforcer). null means that an application
     *     behind is told of its obligations, and does those that the route file names as supported_obligations
     * @param (\Closure(string): array<mixed>)|null $verify returns the claims of a token, in place of a Verifier with the
     *     settings of the route file. It throws as a Verifier does
     * @param (\Closure(string, string): mixed)|null $log is called with a level of PSR-3 and a text; by default error_log gets
     *     the text. A logger of PSR-3 is given as $logger->log(...)
     */
    public function __construct(
        private readonly Table $table,
        Decider $decider,
        ?array $handlers = null,
        ?\Closure $verify = null,
        ?\Closure $log = null,
        Cache $cache = new Cache(),
    ) {
        $jwt = $table->subject->jwt;
        $this->verify = $verify ?? ($jwt === null ? static fn (string $token) => [] : Verifier::of($jwt, $cache)->verify(...));
        $this->log = $log ?? static fn (string $level, string $text) => error_log("wardkeeper: $text");
        $this->tells = $handlers === null;
        $this->enforcer = new Enforcer($decider, $handlers ?? array_fill_keys($table->supportedObligations, new Handler()));
    }

    /** Tells whether a request may pass. It does not throw. */
    public function check(Request $request): Result
    {
        $trace = Trace::of($request->headers->values(...));
        $before = Trace::use($trace);
        try {
            $result = $this->result($request, $trace);
        } finally {
            Trace::use($before);
        }
        return $result;
    }

    /** Does the obligations that follow the action of a request that has passed, and logs those that were not done.
     *
     * @param int $status of the response: nothing is done if it is 400 or more
     */
    public function finish(Result $result, int $status): void
    {
        foreach ($status < 400 ? $result->outcome?->done() ?? [] : [] as $problem) {
            $this->log('error', "an obligation was not done: request_id={$result->trace->requestId} error=$problem");
        }
    }

    private function log(string $level, string $text): void
    {
        try {
            ($this->log)($level, $text);
        } catch (\Throwable) { // a log that is away changes no verdict
        }
    }

    private function result(Request $request, Trace $trace): Result
    {
        $found = new Resolution();
        $outcome = null;
        $error = '';
        try {
            $this->table->resolve($request, $found, $this->claims(...));
            $refusal = $found->route === null ? Refusal::noRoute() : null;
            if ($found->question !== null) {
                $outcome = $this->enforcer->enforce($found->question);
                $error = $outcome->error;
                $refusal = $outcome->isPermitted() ? null : $outcome->refusal();
            }
        } catch (RouteError $problem) {
            $refusal = $problem->refusal();
            $error = $problem->cause;
        } catch (\Throwable $problem) { // its text may name persons
            $refusal = Refusal::unavailable();
            $error = 'the check threw ' . get_debug_type($problem);
        }
        $refusal = $refusal?->of($trace->requestId);
        $subject = $found->question->subject->id ?? '';
        $result = new Result($refusal, $subject, $outcome, $found->question, $found->route, $trace);
        if ($refusal !== null) {
            $this->logRefusal($result, $refusal, $error);
        }
        return $result;
    }

    /** @return array<mixed> */
    private function claims(#[\SensitiveParameter] string $token): array
    {
        try {
            return ($this->verify)($token);
        } catch (TokenInvalid $error) {
            throw RouteError::unauthenticated('The token is not valid: sign in again.', $error->getMessage());
        } catch (\Throwable $error) { // another exception than a verifier's is no answer
            $cause = $error instanceof KeysUnavailable ? $error->getMessage() : 'the verifier threw ' . get_debug_type($error);
            throw RouteError::unavailable('It cannot be found out now who asks.', $cause);
        }
    }

    /** Logs a refusal, and names nobody (PEP-11): the route in place of the path, and no reasons. */
    private function logRefusal(Result $result, Refusal $refusal, string $error): void
    {
        foreach ($this->tells && $refusal->code === 'denied' ? $result->outcome->obligations ?? [] : [] as $obligation) {
            $this->log('warning', sprintf(
                'an obligation of a denial was not done: request_id=%s obligation="%.200s"',
                $refusal->requestId,
                $obligation->id
            ));
        }
        $route = $result->route->path ?? '';
        $this->log(
            $refusal->status === 503 ? 'warning' : 'info',
            "a request was refused: status=$refusal->status code=$refusal->code request_id=$refusal->requestId"
            . " route=\"$route\" error=\"$error\""
        );
    }
}
