<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Json;

/** The text is not JSON as RFC 7493 demands. The message is a sentence for the sender, without any part of the text. */
final class MalformedJson extends \RuntimeException
{
}
