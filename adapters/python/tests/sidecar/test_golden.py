"""The golden decisions, asked of a sidecar: each question alone and all of a file in one batch, with both clients."""

import asyncio
import json

from conftest import ROOT, SAMPLE

from wardkeeper_pep import CONFIRM, WARN, Action, AsyncClient, Client, Enforcer, Entity, Evaluation, Handler, Verdict
from wardkeeper_pep.routes._file import document

HANDLERS = {kind: Handler() for kind in ("notification", "session_termination", CONFIRM, WARN)}


def question_of(message):
    subject, action, resource = (message[name] for name in ("subject", "action", "resource"))
    return Evaluation(
        Entity(subject["type"], subject["id"], subject.get("properties")),
        Action(action["name"], action.get("properties")),
        Entity(resource["type"], resource["id"], resource.get("properties")),
        message.get("context", {}),
    )


def check_answer(case, answer):
    expected = {name: case[name] for name in ("reasons", "obligations", "advice") if case.get(name)}
    assert (answer.decision, answer.context) == (case["decision"], expected), case["name"]


def check_outcome(case, outcome):
    expected = Verdict.PERMITTED if case["decision"] else Verdict.DENIED
    if case["decision"] and any(obligation.kind == CONFIRM for obligation in outcome.obligations):
        expected = Verdict.CONFIRMATION_REQUIRED
    assert outcome.verdict is expected, (case["name"], outcome.error)
    for name in ("reasons", "obligations", "advice"):
        assert len(getattr(outcome, name)) == len(case.get(name, [])), case["name"]


def test_golden_decisions(sidecar, tmp_path):
    asked, sidecars = 0, {}
    for path in sorted((ROOT / "testdata" / "decisions").rglob("*.yaml")):
        file, _ = document(path.read_bytes())
        if "facts" in file:
            directory = tmp_path / f"{path.stem}.json"
            directory.write_text(json.dumps(file["facts"]))
        else:
            assert file["directory"] == "sample"
            directory = SAMPLE
        if directory not in sidecars:
            sidecars[directory] = sidecar(directory)
        asked += ask_all(sidecars[directory].url, file["cases"])
    assert asked > 600


def ask_all(url, cases):
    questions = [question_of(case["question"]) for case in cases]
    with Client(url, timeout=60) as client:
        for case, question in zip(cases, questions):
            check_answer(case, client.evaluate(question))
        for case, answer in zip(cases, client.decide(questions)):
            check_answer(case, answer)
        for case, question, outcome in zip(cases, questions, Enforcer(client, HANDLERS).ask(questions)):
            if "supported_obligations" not in question.context:
                check_outcome(case, outcome)

    async def again():
        async with AsyncClient(url, timeout=60) as client:
            alone = await asyncio.gather(*map(client.evaluate, questions))
            return [*alone, *await client.decide(questions)]

    for case, answer in zip(cases + cases, asyncio.run(again())):
        check_answer(case, answer)
    return len(cases)
