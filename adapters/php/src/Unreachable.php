<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The decision point cannot be reached, or the connection failed. */
final class Unreachable extends NoAnswer
{
}
