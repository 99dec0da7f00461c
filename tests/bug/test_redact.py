"""Secrets leave every text: known ones by value, unknown ones by what they look like."""

from __future__ import annotations

import json
import urllib.parse
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.bug.redact import MASK, Redactor, has_token, is_secret_key, mask_patterns, stand_in
from foureyes_actors.text import bounded, bounded_middle
from tests.canary import forms

CANARY = "c4n4ry-7f3a"

PATTERNS = [
    f"connecting to mongodb://user:{CANARY}@db.example/x",
    f"mongodb+srv://user:p@{CANARY}/1@db.example",
    f"http://{CANARY}@host",
    f"Authorization: Bearer {CANARY}",
    f"authorization: Basic {CANARY}==",
    f'{{"password": "{CANARY}"}}',
    f"{{'obs_password': '{CANARY} with blanks'}}",
    f"api_token={CANARY}&x=1",
    f"API-KEY: {CANARY}",
    f"SecretStr; secret = {CANARY}",
    f"Set-Cookie: {CANARY}",
    f"Malformed LM Studio API token provided: sk-lm-{CANARY}:zzzz",
    f"Malformed LM Studio API token provided: sk-{CANARY}*****",
    f"token eyJhbGciOiJI.eyJ{CANARY}zzzz.abc",
    f"hf_{CANARY.replace('-', '')}abcdefgh".replace("c4n4ry7f3a", CANARY.replace("-", "")),
]


@pytest.mark.parametrize("text", PATTERNS)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    got = mask_patterns(text)
    assert CANARY not in got and CANARY.replace("-", "") not in got and MASK in got
    assert mask_patterns(got) == got, "masking twice changes nothing"


HARMLESS = [
    "max_tokens: 500",
    "http://127.0.0.1:1234/v1/chat/completions: no answer within 30 s",
    "the tokens to keep from the initial prompt is greater than the context length",
    "cabinet: theme lucky_gold, seed 7",
    "author: somebody",
    'File "/x/foureyes_actors/bug/actor.py", line 3, in on_receive',
    "the password is wrong",
    "task-based risk-averse disk-usage",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays(text: str) -> None:
    assert mask_patterns(text) == text


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("OBS_PASSWORD", True),
        ("api-key", True),
        ("apikey", True),
        ("Authorization", True),
        ("x-auth-token", True),
        ("private_key", True),
        ("max_tokens", False),
        ("author", False),
        ("keyboard", False),
        ("bypass", False),
        ("model", False),
    ],
)
def test_keys(key: str, secret: bool) -> None:
    assert is_secret_key(key) is secret
    value = Redactor().mapping({key: "value"})[key]
    assert (value == MASK) is secret


SECRET = 'tr0ub4dor&3 "quoted"/ä\\'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote(SECRET, safe="").replace("%2F", "%2f").replace("%C3%A4", "%c3%a4").replace("%5C", "%5c"),
        urllib.parse.quote_plus(SECRET),
        repr(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1],
        b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_configured_secret_is_found_in_every_form(form: str) -> None:
    got = Redactor((SECRET,)).text(f"before {form} after")
    assert "tr0ub4dor" not in got and form.rstrip("=") not in got
    assert got.startswith("before ") and got.endswith(" after")


def test_the_longer_of_two_secrets_goes_as_a_whole() -> None:
    assert Redactor(("abcd", "abcdefgh")).text("x abcdefgh x") == f"x {MASK} x"


def test_secrets_too_short_to_be_found_are_left_out() -> None:
    assert Redactor(("", "abc")).text("abc") == "abc"


def test_in_program_text_the_configured_ones_alone_are_masked() -> None:
    code = "ask(url, token=token, password=settings.password)  # basic checking"
    assert Redactor((CANARY,)).configured(f"{code} {CANARY}") == f"{code} {MASK}"
    assert Redactor().configured(code) == code and mask_patterns(code) != code


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("key = 'sk-abcdef0123456789'", True),
        ("sk-lm-ab12cd34:0123456789abcdefghij", True),
        ("hf_abcdefghij0123456789", True),
        ("mongodb://user:word@db.example/x", True),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", True),
        ("ask(token=token, password=word)", False),
        ("# basic checking of the bearer thing", False),
        ("http://127.0.0.1:1234/v1", False),
    ],
)
def test_a_token_is_known_by_its_form_alone(text: str, found: bool) -> None:
    assert has_token(text) is found


def test_a_redactor_does_not_show_its_secrets() -> None:
    assert CANARY not in repr(Redactor((CANARY,)))


@given(st.integers(0, 400), st.integers(60, 300))
def test_half_a_secret_at_a_cut_is_masked(start: int, limit: int) -> None:
    secret = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = "." * start + secret + "." * 400
    for cut in (bounded(text, limit), bounded_middle(text, limit)):
        got = Redactor((secret,)).text(cut)
        assert not any(secret[i : i + 4] in got for i in range(len(secret) - 3))


@given(st.text(max_size=300))
def test_any_text_can_be_redacted(text: str) -> None:
    assert Redactor((CANARY,)).text(text + CANARY).count(CANARY) == 0


@pytest.mark.parametrize("text", PATTERNS)
def test_stand_ins_keep_the_length_wherever_the_secret_lies(text: str) -> None:
    for whole in (text, "x " * 10_000 + text + " y" * 10_000):
        got = Redactor().same_length(whole)
        assert CANARY not in got and CANARY.replace("-", "") not in got
        assert len(got) == len(whole) and Redactor().same_length(got) == got
        data = b"\xff\xd8" + whole.encode() + b"\x00\xff"
        clean = Redactor().same_length_bytes(data)
        assert CANARY.encode() not in clean and len(clean) == len(data)


def test_stand_ins_for_exact_secrets_in_bytes() -> None:
    redactor = Redactor(("pässwörd-77",))
    data = bytes(range(256)) * 1000 + "pässwörd-77".encode() + bytes(100_000)
    clean = redactor.same_length_bytes(data)
    assert "pässwörd-77".encode() not in clean and len(clean) == len(data) and clean[:256_000] == data[:256_000]


def test_a_large_text_of_nothing_but_secrets_is_replaced_as_a_whole() -> None:
    text = "token=abcdefgh " * 100_000
    assert Redactor().same_length(text) == stand_in(len(text))


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "x" * 57])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_within_base64_is_found_at_every_alignment(before: str, encode: Callable[[bytes], bytes]) -> None:
    secret = "pass/word+of?some~length"
    text = encode(f"{before}{secret} and more".encode()).decode()
    redactor = Redactor((secret,))
    assert "redacted" in redactor.text(text)
    assert len(redactor.same_length(text)) == len(text) and redactor.same_length(text) != text
    assert not [form for form in forms(secret) if form.decode() in redactor.text(text)]


def test_a_short_secret_is_not_looked_for_within_base64() -> None:
    assert Redactor(("abcd",)).text("WYWJjZGhp and YWJj") == "WYWJjZGhp and YWJj"
