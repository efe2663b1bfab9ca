<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** Where the public keys of an issuer are. */
interface Keys
{
    /** Returns the keys that may have made a signature.
     *
     * @return non-empty-list<Key>
     * @throws TokenInvalid if there are none
     * @throws KeysUnavailable if that cannot be found out now
     */
    public function find(string $algorithm, string $id): array;
}
