<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** There is no answer that can be understood. What was asked is not permitted. The message names nobody: it is logged (PEP-11). */
class NoAnswer extends \RuntimeException
{
}
