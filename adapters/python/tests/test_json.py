import pytest

from wardkeeper_pep import _json


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"y":{"a":1,"a":2}}]}',
        b'{"a":1}}',
        b'{"a":1}{"b":2}',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":1/**/}',
        b"{'a':1}",
        b'{"a":True}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":1e999}',
        b'{"a":1e-999}',
        b'{"a":' + b"1" * 401 + b"}",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\x00"}',
        b'\xef\xbb\xbf{"a":1}',
        b"",
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000 + b"]" * 100_000,
        b'["' + b'\\"[' * 40_000,
    ],
)
def test_refused(text):
    with pytest.raises(_json.MalformedJSON) as problem:
        _json.parse(text)
    assert str(problem.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b' {"a" : [1, 2.5, "\\ud83d\\ude00", null, true]}\n', {"a": [1, 2.5, "\U0001f600", None, True]}),
        (b"[" * 64 + b"]" * 64, None),
        (b'["' + b"[" * 100 + b'\\"{{{{"]', ["[" * 100 + '"{{{{']),
        (b"9007199254740993", 9007199254740993),
        (b"0.000", 0.0),
    ],
)
def test_accepted(text, value):
    parsed = _json.parse(text)
    assert value is None or parsed == value


def test_minus_zero_is_no_whole_number():
    assert isinstance(_json.parse(b"-0"), float)


def test_only_objects():
    with pytest.raises(_json.MalformedJSON):
        _json.parse_object(b"[]")


def test_numbers_that_programs_round():
    exact = b'{"a": [0, -0, 1.50, 0.1, 1e2, 9007199254740992, 100000000000000000000, 5e-324, 0e99999, true, null]}'
    assert _json.is_exact(_json.parse(exact))
    for text in (b"9007199254740993", b"0.1000000000000000055", b'{"a":[-123456789012345678]}', b"[[1.00000000000000000001]]"):
        assert not _json.is_exact(_json.parse(text)), text
