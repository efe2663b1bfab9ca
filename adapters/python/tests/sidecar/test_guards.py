"""Guards, claimed at a sidecar with both clients."""

import asyncio
from datetime import datetime, timezone

import pytest

from wardkeeper_pep import AsyncClient, BadStatus, Client, question


def removal(subject):
    context = {"current_location": "metro", "include": ["guard"]}
    return question(subject, "assignment.remove", "jane", location="abc", context=context)


def test_one_of_two_changes_is_claimed(sidecar):
    alice, rafael = removal("alice"), removal("rafael")
    url = sidecar().url
    with Client.discover(url, timeout=60) as client:
        guards = [response.guard for response in client.decide([alice, rafael])]
        with pytest.raises(BadStatus) as problem:
            client.claim(rafael, guards[0])
        assert problem.value.status == 400
        before = datetime.now(timezone.utc)
        first = client.claim(alice, guards[0])
        assert (first.claimed, first.response.decision) == (True, True)
        assert first.expires > before

    async def claim():
        async with await AsyncClient.discover(url, timeout=60) as client:
            return await client.claim(rafael, guards[1])

    second = asyncio.run(claim())
    assert (second.claimed, second.code) == (False, "taken")
    assert second.response.guard
