<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Action;
use Wardkeeper\Pep\Entity;
use Wardkeeper\Pep\Evaluation;

/** Turns one request into a question.
 *
 * @internal
 */
final class Drawing
{
    /** @param array<mixed> $claims */
    public function __construct(
        private readonly Headers $headers,
        private readonly Route $route,
        private readonly Target $target,
        private readonly array $claims,
        private readonly mixed $body,
    ) {
    }

    /** @throws RouteError */
    public function question(string $person): Evaluation
    {
        $route = $this->route;
        $action = $this->draw($route->action, Form::Text);
        $id = $this->draw($route->resourceId, Form::Text);
        $properties = $this->members($route->properties, Form::Any);
        $about = $this->members($route->resourceProperties, Form::Any)
            + $this->members($route->location === null ? [] : ['location' => $route->location], Form::Text);
        $context = [];
        foreach ($route->context as $name => $value) {
            $context += $this->members([$name => $value], $name === 'confirmed' ? Form::Boolean : Form::Text);
        }
        return new Evaluation(
            new Entity('user', $person),
            new Action($action, $properties ?: null),
            new Entity($route->resourceType, $id, $about ?: null),
            $context
        );
    }

    /**
     * @param array<mixed> $members
     * @return array<mixed> without those that are optional and not there
     */
    private function members(array $members, Form $form): array
    {
        $drawn = [];
        foreach ($members as $name => $value) {
            $found = $this->draw($value, $form);
            if ($found !== null) {
                $drawn[$name] = $found;
            }
        }
        return $drawn;
    }

    /** Returns a value in its form, or null if it is optional and not there. */
    private function draw(Value $value, Form $form): mixed
    {
        if ($value->source === '') {
            return $value->literal;
        }
        $drawn = match ($value->source) {
            'path' => $this->part($value),
            'query' => Query::parameter($this->target->query, $value->name),
            'header' => $this->headers->drawn($value->name),
            'claim' => $this->claims[$value->name] ?? null,
            default => Body::lookUp($this->body, $value->pointer),
        };
        if ($drawn === null) {
            return $value->optional ? null : throw self::fault($value, 'is missing');
        }
        try {
            return Value::convert($drawn, $form);
        } catch (Unfit $problem) {
            throw self::fault($value, $problem->getMessage());
        }
    }

    private function part(Value $value): ?string
    {
        $part = $this->route->template?->valueOf($this->target->path, $value->segment) ?? '';
        return $part === '' ? null : $part;
    }

    private static function fault(Value $value, string $problem): RouteError
    {
        return match ($value->source) {
            'claim' => RouteError::unauthenticated("The claim $value->name of the token $problem."),
            'path' => RouteError::badRequest("The part $value->name of the path $problem."),
            'query' => RouteError::badRequest("The query parameter $value->name $problem."),
            'header' => RouteError::badRequest("The header $value->name $problem."),
            default => RouteError::badRequest("The value at $value->name of the body $problem."),
        };
    }
}
