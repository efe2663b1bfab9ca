import asyncio

import pytest

from wardkeeper_pep import CONFIRM, WARN, AsyncEnforcer, Enforcer, Handler, NoAnswer, Response, Verdict, question

ASKED = question("alice", "user.edit", "jane", context={"current_location": "ghi"})


def obligation(id_, type_="notification", **properties):
    return {"id": id_, "type": type_, "properties": properties}


class Pdp:
    """Answers what the test says."""

    def __init__(self, decision=True, **context):
        self.answer, self.asked = Response(decision, context), []

    def decide(self, questions):
        self.asked += questions
        return [self.answer] * len(questions)


class AsyncPdp(Pdp):
    async def decide(self, questions):
        return super().decide(questions)


def both(handlers, decision=True, **context):
    """Enforce an answer with both enforcers. It returns the outcome, which is the same, and the ids of what was done."""
    outcomes, done = [], []

    def recording(handler):
        if handler is None:
            return Handler(before=lambda o: done.append("before " + o.id), after=lambda o: done.append("after " + o.id))
        return handler

    made = {kind: recording(handler) for kind, handler in handlers.items()}
    outcome = Enforcer(Pdp(decision, **context), made).enforce(ASKED)
    failed = outcome.done()
    first = list(done)
    done.clear()

    async def later():
        outcome = await AsyncEnforcer(AsyncPdp(decision, **context), made).enforce(ASKED)
        return outcome, await outcome.adone()

    outcomes = asyncio.run(later())
    assert outcomes[0].verdict is outcome.verdict
    assert outcomes[1] == failed
    assert done == first
    return outcome, first, failed


def test_a_question_says_what_the_application_can_do():
    pdp = Pdp()
    Enforcer(pdp, {"notification": Handler(), CONFIRM: Handler(), WARN: Handler()}).enforce(ASKED)
    assert pdp.asked[0].context == {"current_location": "ghi", "supported_obligations": ["custom", "notification"]}
    Enforcer(pdp).enforce(ASKED)
    assert pdp.asked[1].context["supported_obligations"] == []


def test_an_obligation_is_done_before_and_after():
    outcome, done, failed = both({"notification": None}, obligations=[obligation("A"), obligation("B")])
    assert outcome.permitted
    assert done == ["before A", "before B", "after A", "after B"]
    assert failed == []


@pytest.mark.parametrize(
    "unknown", [obligation("U", "session_termination"), obligation("U", "custom", action="warn"), obligation("U", "custom")]
)
def test_an_obligation_without_a_handler_denies(unknown):
    outcome, done, _ = both({"notification": None, CONFIRM: None}, obligations=[unknown, obligation("A")])
    assert outcome.verdict is Verdict.DENIED
    assert outcome.reasons[0].code == "obligation_unsupported"
    assert outcome.error == 'the application cannot do the obligation "U"'
    assert done == ["before A", "after A"]


def raising(_):
    raise RuntimeError("jane.doe@example.org")


@pytest.mark.parametrize("can", [raising, lambda _: False, lambda _: None])
def test_a_handler_that_cannot(can):
    outcome, done, _ = both({"notification": Handler(can=can)}, obligations=[obligation("A")])
    assert outcome.verdict is Verdict.DENIED
    assert done == []
    assert "jane" not in outcome.error


def test_a_handler_that_fails_before_the_action_denies():
    outcome, _, _ = both({"notification": Handler(before=raising)}, obligations=[obligation("A")])
    assert outcome.verdict is Verdict.DENIED
    assert outcome.error == 'the obligation "A": its handler raised RuntimeError'


def test_a_handler_that_fails_after_the_action():
    outcome, _, failed = both({"notification": Handler(after=raising)}, obligations=[obligation("A"), obligation("B")])
    assert outcome.permitted
    assert failed == [f'the obligation "{id_}": its handler raised RuntimeError' for id_ in "AB"]


def test_coroutine_functions():
    done = []

    async def later(o):
        done.append(o.id)

    handlers = {"notification": Handler(before=later, after=later)}

    async def enforce():
        outcome = await AsyncEnforcer(AsyncPdp(obligations=[obligation("A")]), handlers).enforce(ASKED)
        return await outcome.adone()

    assert asyncio.run(enforce()) == []
    assert done == ["A", "A"]
    outcome = Enforcer(Pdp(obligations=[obligation("A")]), handlers).enforce(ASKED)
    assert outcome.verdict is Verdict.DENIED  # the blocking enforcer cannot wait for it


def test_the_obligations_of_a_denial_are_done():
    outcome, done, _ = both({"notification": None}, False, obligations=[obligation("A")], reasons=[{"code": "c", "message": "No."}])
    assert outcome.verdict is Verdict.DENIED
    assert done == ["before A", "after A"]
    assert outcome.refusal.detail == "No."


def test_confirmation():
    confirm = obligation("C", "custom", action="confirm", cause="multiple_locations")
    outcome, done, _ = both({CONFIRM: Handler(), "notification": None}, obligations=[confirm, obligation("A")])
    assert outcome.verdict is Verdict.CONFIRMATION_REQUIRED
    assert outcome.offered
    assert done == []
    assert outcome.refusal.problem()["confirm"] == [confirm]
    assert "<li>multiple locations</li>" in outcome.refusal.body("text/html")[1].decode()


def test_warnings():
    outcome, _, _ = both({WARN: Handler()}, obligations=[obligation("W", "custom", action="warn", cause="no_role_here")])
    assert outcome.permitted
    assert outcome.warnings == ["no_role_here"]


@pytest.mark.parametrize(
    "context",
    [
        {"error": {"status": 500, "message": "jane"}},
        {"error": False},
        {"obligations": {}},
        {"obligations": ["x"]},
        {"obligations": [{"id": "A"}]},
        {"obligations": [{"id": "", "type": "x"}]},
        {"obligations": [{"id": "A", "type": "x", "properties": []}]},
    ],
)
def test_an_answer_that_is_none(context):
    outcome, done, _ = both({"notification": None}, **context)
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert outcome.refusal.status == 503
    assert "jane" not in outcome.error


@pytest.mark.parametrize("error", [NoAnswer("away"), RuntimeError("jane")])
def test_a_decider_that_raises(error):
    class Broken:
        def decide(self, questions):
            raise error

    outcomes = Enforcer(Broken()).ask([ASKED, ASKED])
    assert [o.verdict for o in outcomes] == [Verdict.UNAVAILABLE] * 2
    assert outcomes[0].error == ("away" if isinstance(error, NoAnswer) else "the decider raised RuntimeError")


def test_too_few_answers():
    class Lazy:
        def decide(self, questions):
            return [Response(True)]

    assert [o.verdict for o in Enforcer(Lazy()).ask([ASKED, ASKED])] == [Verdict.UNAVAILABLE] * 2


def test_what_a_page_offers():
    class Choosy(Pdp):
        def decide(self, questions):
            super().decide(questions)
            return [Response(q.action.name != "user.delete") for q in questions]

    pdp = Choosy()
    assert Enforcer(pdp).can(["user.view", "user.delete"], ASKED) == {"user.view": True, "user.delete": False}
    assert [q.action.name for q in pdp.asked] == ["user.view", "user.delete"]
    assert Enforcer(pdp).can([], ASKED) == {}


@pytest.mark.parametrize("kind", ["", "custom", "custom/", "notification/mail", "/x"])
def test_kinds_that_no_obligation_has(kind):
    with pytest.raises(ValueError, match="no obligation"):
        Enforcer(Pdp(), {kind: Handler()})


def test_reasons_of_other_decision_points():
    outcome, _, _ = both({}, False, reason_user={"en": "No.", "de": "Nein.", "x": 1})
    assert outcome.refusal.detail == "Nein."
    outcome, _, _ = both({}, False, reasons=["No.", {"code": 1}, {"code": "c", "field": "role", "rule": 7}, {"x": 1}, 3])
    assert [r.fields() for r in outcome.reasons] == [{"message": "No."}, {"code": "c", "field": "role"}]


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", True),
        ("application/json, Text/HTML;q=0.5", True),
        ("text/html;q=0", False),
        ("text/html;q=x", True),
    ],
)
def test_pages_for_browsers(accept, page):
    outcome, _, _ = both({}, False, reasons=[{"message": "<b>No.</b>"}], advice=[{"message": "Ask."}])
    kind, body = outcome.refusal.body(accept)
    assert (kind == "text/html; charset=utf-8") == page
    if page:
        assert b"<p>&lt;b&gt;No.&lt;/b&gt;</p><ul><li>Ask.</li></ul>" in body
        assert b"\n" not in body


def test_what_is_permitted_is_not_refused():
    with pytest.raises(ValueError, match="permitted"):
        _ = both({})[0].refusal
