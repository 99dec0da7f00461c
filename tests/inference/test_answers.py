"""Model answers: what is taken, what is refused and why. Nothing is guessed, nothing gets a silent default."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.errors import AnswerContractError, EmptyAnswer, VisionInferenceError
from foureyes_actors.inference.answers import MAX_CONTENT, check_content
from foureyes_actors.inference.strict_json import JsonError, NumberText, loads
from foureyes_actors.messages import Task
from tests.inference.support import ANSWER, OCR

WHOLE = json.dumps(ANSWER)
STATE = (Task.STATE,)
IDLE = '{"vision_state": {"state": "idle", "confidence": 0.8}}'


def ocr(**change: Any) -> str:
    return json.dumps({"vision_ocr": {**OCR, "confidence": 0.9, **change}})


def state(text: str) -> str:
    return '{"vision_state": ' + text + "}"


TAKEN: list[tuple[str, str, tuple[Task, ...], Any]] = [
    ("all four", WHOLE, tuple(Task), "$12,345.67"),
    ("white space around", f"\n\t {WHOLE} \n", tuple(Task), "$12,345.67"),
    ("indented", json.dumps(ANSWER, indent=2), tuple(Task), "$12,345.67"),
    ("fenced as json", f"```json\n{WHOLE}\n```", tuple(Task), "$12,345.67"),
    ("fenced as JSON", f"```JSON\n{WHOLE}\n```", tuple(Task), "$12,345.67"),
    ("fenced without a label", f"```\n{WHOLE}\n```", tuple(Task), "$12,345.67"),
    ("one fence in prose", f"Here you are:\n```json\n{WHOLE}\n```\nAnything else?", tuple(Task), "$12,345.67"),
    ("behind thinking", f"<think>The {{grand}} is big.</think>\n{WHOLE}", tuple(Task), "$12,345.67"),
    ("behind the end of thinking alone", f"It rests, so idle.\n</think>\n\n{WHOLE}", tuple(Task), "$12,345.67"),
    ("behind thinking, fenced", f"<think></think>\n```json\n{WHOLE}\n```", tuple(Task), "$12,345.67"),
    ("unknown keys", json.dumps({**ANSWER, "note": "hi", "more": [1]}), tuple(Task), "$12,345.67"),
    ("unknown key inside", ocr(jackpot="x"), (Task.OCR,), "$12,345.67"),
    ("amount of another form", ocr(grand="12.345,67 €"), (Task.OCR,), "12.345,67 €"),
    ("amount that is no money", ocr(grand="twelve"), (Task.OCR,), "twelve"),
    ("empty amount", ocr(grand=""), (Task.OCR,), ""),
    ("amount not visible", ocr(grand=None), (Task.OCR,), None),
    ("whole number for an amount", ocr(grand=500), (Task.OCR,), "500"),
    ("number keeps its digits", ocr(grand="@").replace('"@"', "12345.670"), (Task.OCR,), "12345.670"),
    (
        "number beyond a float",
        ocr(grand="@").replace('"@"', "0.10000000000000001"),
        (Task.OCR,),
        "0.10000000000000001",
    ),
    ("number with an exponent", ocr(grand="@").replace('"@"', "1e5"), (Task.OCR,), "1e5"),
    ("markup in a value", ocr(grand="</think>```json"), (Task.OCR,), "</think>```json"),
]


@pytest.mark.parametrize(("content", "tasks", "grand"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_taken(content: str, tasks: tuple[Task, ...], grand: str | None) -> None:
    checked = check_content(content, tasks)
    assert checked.failures == ()
    assert [a.task for a in checked.answers] == list(tasks)
    value = checked.answers[0].values["grand"]
    assert value == grand
    assert value is None or type(value) is str  # never a number that a float has seen


REFUSED: list[tuple[str, str, type[VisionInferenceError], str]] = [
    ("nothing", "", EmptyAnswer, "is empty"),
    ("white space", " \n\t ", EmptyAnswer, "is empty"),
    ("thinking alone", "<think>Is it idle?</think>\n", EmptyAnswer, "nothing but thinking"),
    ("thinking without end", f"<think>It may be {IDLE}", EmptyAnswer, "nothing but thinking"),
    ("prose", "The game is idle.", AnswerContractError, "not JSON: 'The game"),
    ("object inside prose", f"The answer is {IDLE}.", AnswerContractError, "not JSON"),
    ("text before the object", f"json {IDLE}", AnswerContractError, "not JSON"),
    ("text behind the object", f"{IDLE} I hope this helps {{x}}", AnswerContractError, "Extra data"),
    ("two objects", f"{IDLE}\n{IDLE}", AnswerContractError, "Extra data"),
    ("two fences", f"```json\n{IDLE}\n```\nor\n```json\n{IDLE}\n```", AnswerContractError, "more than one fenced"),
    ("fence of another language", f"```python\n{IDLE}\n```", AnswerContractError, "'python', not JSON"),
    ("open fence", f"```json\n{IDLE}", AnswerContractError, "not JSON"),
    ("cut off", IDLE[:-5], AnswerContractError, "not JSON"),
    ("single quotes", "{'vision_state': {'state': 'idle'}}", AnswerContractError, "not JSON"),
    ("trailing comma", state('{"state": "idle",}'), AnswerContractError, "not JSON"),
    ("comment", IDLE + " // sure", AnswerContractError, "Extra data"),
    ("list", f"[{IDLE}]", AnswerContractError, "not an object"),
    ("plain text", '"idle"', AnswerContractError, "not JSON"),
    ("null", "null", AnswerContractError, "not JSON"),
    ("key twice", state('{"state": "idle", "state": "win"}'), AnswerContractError, "'state' is there twice"),
    ("task twice", '{"vision_state": {}, "vision_state": {}}', AnswerContractError, "'vision_state' is there twice"),
    ("NaN", state('{"state": "idle", "confidence": NaN}'), AnswerContractError, "NaN is not JSON"),
    ("Infinity", state('{"state": "idle", "confidence": -Infinity}'), AnswerContractError, "Infinity is not JSON"),
    ("too deep", state("[" * 5000 + "]" * 5000), AnswerContractError, "brackets"),
    ("too long", state('{"state": "' + "x" * MAX_CONTENT + '"}'), AnswerContractError, "characters, at most"),
    ("raw line break in text", state('{"state": "id\nle"}'), AnswerContractError, "not JSON"),
    ("another task alone", '{"vision_ocr": {}}', AnswerContractError, "vision_state is missing"),
    ("not keyed by task", '{"state": "idle", "confidence": 1}', AnswerContractError, "vision_state is missing"),
    ("task in other case", '{"Vision_State": {"state": "idle"}}', AnswerContractError, "vision_state is missing"),
    ("task is null", state("null"), AnswerContractError, "not an object but null"),
    ("task is a word", state('"idle"'), AnswerContractError, "not an object but the text 'idle'"),
    ("task is a list", state('[{"state": "idle"}]'), AnswerContractError, "not an object but a list"),
    ("no state", state('{"confidence": 1}'), AnswerContractError, "vision_state.state is missing"),
    ("state null", state('{"state": null}'), AnswerContractError, "not text but null"),
    ("state a number", state('{"state": 1}'), AnswerContractError, "not text but the number 1"),
    ("state true", state('{"state": true}'), AnswerContractError, "not text but true or false"),
    ("state a list", state('{"state": ["idle"]}'), AnswerContractError, "not text but a list"),
    ("unknown word", state('{"state": "paused"}'), AnswerContractError, "'paused', not one of idle"),
    ("word in other case", state('{"state": "Idle"}'), AnswerContractError, "'Idle', not one of"),
    ("word with a blank", state('{"state": "idle "}'), AnswerContractError, "not one of"),
    ("the schema's own words", state('{"state": "idle|spinning|win"}'), AnswerContractError, "not one of"),
    ("half a character", state('{"state": "\\ud800"}'), AnswerContractError, "not one of"),
    ("percent", state('{"state": "idle", "confidence": 95}'), AnswerContractError, "95, not from 0 to 1"),
    ("negative", state('{"state": "idle", "confidence": -0.1}'), AnswerContractError, "-0.1, not from 0 to 1"),
    ("huge", state('{"state": "idle", "confidence": 1e999}'), AnswerContractError, "1e999, not from 0 to 1"),
    ("confidence in words", state('{"state": "idle", "confidence": "high"}'), AnswerContractError, "'high'"),
    ("confidence as text", state('{"state": "idle", "confidence": "0.9"}'), AnswerContractError, "the text '0.9'"),
    ("confidence true", state('{"state": "idle", "confidence": true}'), AnswerContractError, "true or false"),
]


@pytest.mark.parametrize(("content", "kind", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(content: str, kind: type[VisionInferenceError], words: str) -> None:
    with pytest.raises(kind) as caught:
        check_content(content, STATE)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400 and str(caught.value).isascii()


OTHER_TASKS = [
    (Task.OCR, ocr(grand=["1"]), "vision_ocr.grand is not text or null but a list"),
    (Task.OCR, ocr(grand=True), "vision_ocr.grand is not text or null but true or false"),
    (Task.OCR, ocr(grand={"value": "1"}), "vision_ocr.grand is not text or null but an object"),
    (Task.OCR, ocr(grand="1" * 201), "vision_ocr.grand has 201 characters"),
    (Task.OCR, ocr(grand="\ud83d"), "vision_ocr.grand is not Unicode text"),
    (Task.OCR, '{"vision_ocr": {"grand": "1"}}', "vision_ocr.major is missing"),
    (Task.ANIMATION, '{"animation_detection": {"motion": "idle"}}', "motion is 'idle', not one of spinning"),
    (Task.ERROR, '{"error_detection": {"popup": "none"}}', "error_detection.text is missing"),
    (Task.ERROR, '{"error_detection": {"popup": true, "text": null}}', "popup is not text but true or false"),
    (Task.ERROR, '{"error_detection": {"popup": "none", "text": 404}}', "text is not text or null but the number 404"),
]


@pytest.mark.parametrize(("task", "content", "words"), OTHER_TASKS, ids=lambda v: str(v)[:40])
def test_refused_in_the_other_tasks(task: Task, content: str, words: str) -> None:
    with pytest.raises(AnswerContractError) as caught:
        check_content(content, (task,))
    assert words in str(caught.value)


def test_values_and_confidence_are_as_given() -> None:
    answers = {a.task: a for a in check_content(WHOLE, tuple(Task)).answers}
    assert dict(answers[Task.OCR].values) == OCR
    assert dict(answers[Task.ERROR].values) == {"popup": "error", "text": "Reel tilt. Call attendant."}
    assert [answers[t].confidence for t in Task] == [0.9, 0.8, None, 1.0]


def test_a_confidence_that_is_not_given_is_none() -> None:
    assert check_content(state('{"state": "win"}'), STATE).answers[0].confidence is None


def test_values_cannot_be_changed() -> None:
    values: Any = check_content(IDLE, STATE).answers[0].values
    with pytest.raises(TypeError):
        values["state"] = "win"


@pytest.mark.parametrize("bad", list(Task))
def test_one_bad_task_does_not_take_the_others_with_it(bad: Task) -> None:
    checked = check_content(json.dumps({**ANSWER, bad.value: {"state": "nonsense"}}), tuple(Task))
    assert {a.task for a in checked.answers} == set(Task) - {bad}
    assert [(f.task, f.error_type) for f in checked.failures] == [(bad, "AnswerContractError")]
    assert bad.value in checked.failures[0].reason


def test_when_all_tasks_are_bad_the_reasons_are_told() -> None:
    with pytest.raises(AnswerContractError, match=r"vision_ocr is missing; vision_state is missing"):
        check_content("{}", (Task.OCR, Task.STATE))


@given(st.text(max_size=300) | st.sampled_from([row[1] for row in REFUSED + TAKEN]).map(lambda t: t[: len(t) // 2]))
def test_any_text_is_taken_or_refused_and_never_crashes(content: str) -> None:
    try:
        assert check_content(content, tuple(Task)).answers
    except VisionInferenceError as error:
        assert str(error)


@given(st.floats(0, 1), st.sampled_from(["idle", "unknown"]))
def test_what_the_contract_allows_is_taken(confidence: float, word: str) -> None:
    content = json.dumps({"vision_state": {"state": word, "confidence": confidence}})
    answer = check_content(content, STATE).answers[0]
    assert (answer.values["state"], answer.confidence) == (word, confidence)


def test_many_fences_are_refused_quickly() -> None:
    with pytest.raises(AnswerContractError, match="more than one"):
        check_content("```a\n" * 12000, STATE)


def test_numbers_stay_text_and_constants_are_refused() -> None:
    assert loads('[1.10, 3, "3"]', max_length=100) == ["1.10", "3", "3"]
    assert [type(x) for x in loads('[1.10, 3, "3"]', max_length=100)] == [NumberText, NumberText, str]
    assert loads("1" * 5000, max_length=9000) == "1" * 5000  # Python refuses to convert so many digits
    with pytest.raises(JsonError, match="nested too deeply"):
        loads("[" * 100_000, max_length=200_000, max_brackets=200_000)
