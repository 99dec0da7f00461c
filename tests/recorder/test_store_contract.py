"""What every store does, whichever it is: the port's contract. One suite keeps the adapters from drifting apart."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from foureyes_actors.errors import DocumentRefused, StoreUnavailable
from foureyes_actors.messages import Collection, EventKind
from foureyes_actors.ports.store import StorePort
from tests.recorder.places import Place

T0 = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
READINGS, EVENTS, ERRORS = Collection.READINGS, Collection.EVENTS, Collection.ERRORS


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def doc(name: str, seconds: float = 0, /, **fields: Any) -> dict[str, Any]:
    return {"_id": name, "at": at(seconds), **fields}


def occurrence(name: str, seconds: float = 0, fingerprint: str = "f1", **fields: Any) -> dict[str, Any]:
    return doc(name, seconds, fingerprint=fingerprint, message=f"m-{name}", context={"n": name}, **fields)


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [document["_id"] for document in found]


# --- append, get


@pytest.mark.parametrize("collection", list(Collection))
def test_append_then_get(store: StorePort, collection: Collection) -> None:
    assert store.append(collection, [doc("a", value=1), doc("b")]) == 2
    assert store.get(collection, "a") == doc("a", value=1)
    assert store.get(collection, "c") is None
    assert store.count(collection) == 2


def test_collections_are_apart(store: StorePort) -> None:
    store.append(READINGS, [doc("a")])
    assert store.get(EVENTS, "a") is None
    assert store.append(EVENTS, [doc("a")]) == 1


def test_append_nothing(store: StorePort) -> None:
    assert store.append(READINGS, []) == 0


def test_a_known_id_is_left_as_it_is(store: StorePort) -> None:
    store.append(READINGS, [doc("a", value="first")])
    assert store.append(READINGS, [doc("a", value="second"), doc("b")]) == 1
    assert store.append(READINGS, [doc("a", value="third"), doc("b")]) == 0
    assert store.get(READINGS, "a") == doc("a", value="first")
    assert store.count(READINGS) == 2


def test_an_id_twice_in_one_call_counts_once(store: StorePort) -> None:
    assert store.append(READINGS, [doc("a", value=1), doc("a", value=2)]) == 1
    assert store.get(READINGS, "a") == doc("a", value=1)


VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "false": False,
    "small": -1,
    "large": 2**63 - 1,
    "least": -(2**63),
    "float": 0.1,
    "infinite": math.inf,
    "text": "Größe ☃ 💰",
    "empty": "",
    "nul": "a\0b",
    "bytes": b"\x00\xff",
    "money": Decimal("1234.50"),
    "zeros": Decimal("0.00"),
    "long": Decimal("-9999999999999999999999999999.999999"),
    "at": datetime(1999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    "list": [1, [], [None, {"deep": [Decimal("1.10")]}]],
    "mapping": {"a": {"b": {}}},
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_with_value_and_type(store: StorePort, name: str) -> None:
    store.append(READINGS, [doc("a", value=VALUES[name], inner=[{"value": VALUES[name]}])])
    (found,) = store.latest(READINGS)
    for value in (found["value"], found["inner"][0]["value"]):
        assert value == VALUES[name]
        assert type(value) is type(VALUES[name])
        assert str(value) == str(VALUES[name])  # 1.10 stays 1.10


def test_not_a_number_comes_back(store: StorePort) -> None:
    store.append(READINGS, [doc("a", value=math.nan, money=Decimal("NaN"))])
    found = store.get(READINGS, "a")
    assert found is not None
    assert math.isnan(found["value"])
    assert found["money"].is_nan()


def test_tuples_and_enumerations_become_lists_and_text(store: StorePort) -> None:
    store.append(EVENTS, [doc("a", kind=EventKind.STATE_CHANGED, values=(1, (2,)))])
    found = store.get(EVENTS, "a")
    assert found is not None
    assert (found["kind"], type(found["kind"]), found["values"]) == ("state_changed", str, [1, [2]])


def test_datetimes_are_utc_and_keep_milliseconds(store: StorePort) -> None:
    local = datetime(2026, 3, 1, 14, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    store.append(READINGS, [{"_id": "a", "at": local}])
    found = store.get(READINGS, "a")
    assert found is not None
    assert found["at"] == T0
    assert found["at"].tzinfo is UTC


KEYS = ("$where", "a.b", ".", "$", "%", "%24", "%2E", "", "a\0b", "ключ", "a b", "_x")


def test_any_text_is_a_key(store: StorePort) -> None:
    value = {key: number for number, key in enumerate(KEYS)}
    store.append(READINGS, [doc("a", value=value, **dict(zip(KEYS, KEYS, strict=True)))])
    assert store.get(READINGS, "a") == doc("a", value=value, **dict(zip(KEYS, KEYS, strict=True)))


def test_lone_surrogates_are_replaced(store: StorePort) -> None:
    store.append(READINGS, [doc("a", raw="x\ud800y", pair="\ud83d\udcb0", source="s\udfff", value={"k\ud800": 1})])
    found = store.get(READINGS, "a")
    assert found is not None
    assert (found["raw"], found["pair"], found["value"]) == ("x\ufffdy", "💰", {"k\ufffd": 1})
    assert ids(store.latest(READINGS, where={"source": "s\udfff"})) == ["a"]


# --- refused


def nested(depth: int) -> Any:
    return {} if depth == 0 else {"k": nested(depth - 1)}


REFUSED: dict[str, tuple[Any, str]] = {
    "no id": ({"at": T0}, "_id"),
    "id not text": ({"_id": 7, "at": T0}, "_id"),
    "empty id": ({"_id": "", "at": T0}, "_id"),
    "id with NUL": ({"_id": "a\0", "at": T0}, "_id"),
    "id with surrogate": ({"_id": "a\ud800", "at": T0}, "_id"),
    "no at": ({"_id": "bad"}, "'bad' at"),
    "naive at": ({"_id": "bad", "at": datetime(2026, 1, 1)}, "'bad' at"),
    "at as text": ({"_id": "bad", "at": "2026-01-01"}, "'bad' at"),
    "too many bits": (doc("bad", value=[{"n": 2**63}]), "'bad' value[0].n"),
    "too many digits": (doc("bad", value={"d": Decimal("1." + "1" * 40)}), "'bad' value.d"),
    "naive inside": (doc("bad", value=datetime(2026, 1, 1)), "'bad' value"),
    "a set": (doc("bad", value={1}), "'bad' value"),
    "an object": (doc("bad", value=[object()]), "'bad' value[0]"),
    "key not text": (doc("bad", value={1: 2}), "'bad' value"),
    "keys that collide": (doc("bad", value=dict.fromkeys(("\ud800", "\udfff"), 1)), "'bad' value"),
    "too deep": (doc("bad", value=nested(101)), "'bad' value.k.k"),
    "too large": (doc("bad", value=b"x" * (16 * 1024 * 1024)), "'bad'"),
    "kind not text": (doc("bad", kind=5), "'bad' kind"),
    "resolved not a truth value": (doc("bad", resolved="yes"), "'bad' resolved"),
    "reserved key": (doc("bad", _order=1), "'bad' _order"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_document_is_named_and_nothing_of_the_call_is_stored(store: StorePort, name: str) -> None:
    document, words = REFUSED[name]
    with pytest.raises(DocumentRefused) as caught:
        store.append(READINGS, [doc("good"), document])
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500
    assert store.count(READINGS) == 0


def test_the_largest_and_the_deepest_document_that_fits(store: StorePort) -> None:
    large, deep = doc("large", value=b"x" * (15 * 1024 * 1024)), doc("deep", value=nested(90))
    assert store.append(READINGS, [large, deep]) == 2
    assert store.get(READINGS, "large") == large
    assert store.get(READINGS, "deep") == deep


def test_a_document_that_contains_itself_is_refused(store: StorePort) -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(DocumentRefused, match="nested deeper"):
        store.append(READINGS, [doc("bad", value=value)])


# --- latest, count


def test_latest_is_newest_first_and_ties_go_to_the_last_inserted(store: StorePort) -> None:
    store.append(READINGS, [doc("b", 1), doc("tie1", 2), doc("a", 0)])
    store.append(READINGS, [doc("tie2", 2), doc("tie3", 2)])
    assert ids(store.latest(READINGS)) == ["tie3", "tie2", "tie1", "b", "a"]
    assert ids(store.latest(READINGS, 2)) == ["tie3", "tie2"]
    assert store.latest(READINGS, 0) == []


def test_ties_keep_their_order_over_a_reopening(place: Place) -> None:
    for name in ("first", "second", "third"):
        store = place.open()
        store.append(READINGS, [doc(name)])
        store.close()
    store = place.open()
    assert ids(store.latest(READINGS)) == ["third", "second", "first"]
    store.close()


def test_since_is_inclusive_and_in_milliseconds(store: StorePort) -> None:
    store.append(READINGS, [doc("old", -0.001), doc("now"), doc("new", 0.001)])
    assert ids(store.latest(READINGS, since=T0)) == ["new", "now"]
    assert ids(store.latest(READINGS, since=T0 + timedelta(microseconds=400))) == ["new", "now"]
    assert ids(store.latest(READINGS, since=T0.astimezone(timezone(timedelta(hours=-5))))) == ["new", "now"]
    assert store.count(READINGS, since=T0) == 2
    assert store.count(READINGS, since=at(1)) == 0


def test_latest_before_1970(store: StorePort) -> None:
    store.append(READINGS, [{"_id": "a", "at": datetime(1969, 7, 20, tzinfo=UTC)}, doc("b")])
    assert ids(store.latest(READINGS)) == ["b", "a"]
    assert store.count(READINGS) == 2


@pytest.mark.parametrize("key", ["source", "fingerprint", "kind", "subject"])
@pytest.mark.parametrize("collection", [READINGS, EVENTS, ERRORS])
def test_where_text(store: StorePort, collection: Collection, key: str) -> None:
    store.append(
        collection, [doc("a", 0, **{key: "x"}), doc("b", 1, **{key: "y"}), doc("c", 2), doc("d", 3, **{key: "x"})]
    )
    assert ids(store.latest(collection, where={key: "x"})) == ["d", "a"]
    assert ids(store.latest(collection, 1, where={key: "x"})) == ["d"]
    assert ids(store.latest(collection, where={key: "x"}, since=at(1))) == ["d"]
    assert store.latest(collection, where={key: "X"}) == []


def test_where_is_a_conjunction_and_resolved_a_truth_value(store: StorePort) -> None:
    rows = [doc("a", 0, kind="k", resolved=True), doc("b", 1, kind="k", resolved=False), doc("c", 2, resolved=True)]
    store.append(ERRORS, [*rows, doc("d", 3, kind="k")])
    assert ids(store.latest(ERRORS, where={"kind": "k", "resolved": True})) == ["a"]
    assert ids(store.latest(ERRORS, where={"resolved": True})) == ["c", "a"]
    assert ids(store.latest(ERRORS, where={"resolved": False})) == ["b"]


@pytest.mark.parametrize("where", [{"other": "x"}, {"kind": True}, {"resolved": "yes"}, {"kind": {"$ne": 1}}])
def test_where_refuses_what_it_does_not_offer(store: StorePort, where: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(where))):
        store.latest(EVENTS, where=where)


def test_text_of_the_filter_is_never_part_of_a_statement(store: StorePort) -> None:
    hostile = "x' OR 1=1; DROP TABLE events; --"
    store.append(EVENTS, [doc("a", kind=hostile), doc("b", kind="x")])
    assert ids(store.latest(EVENTS, where={"kind": hostile})) == ["a"]
    assert store.count(EVENTS) == 2


def test_naive_times_are_refused(store: StorePort) -> None:
    for call in (store.latest, store.count):
        with pytest.raises(ValueError, match="time zone"):
            call(READINGS, since=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        store.purge(READINGS, datetime(2026, 1, 1))


# --- ERR0R


def test_occurrences_of_a_fingerprint_are_one_document(store: StorePort) -> None:
    assert store.count_occurrence(occurrence("e1", 0, severity="High")) == 1
    assert store.count_occurrence(occurrence("e2", 5)) == 2
    assert store.count_occurrence(occurrence("x1", 6, fingerprint="f2")) == 1
    assert store.count_occurrence(occurrence("e3", 7)) == 3
    (group,) = store.latest(ERRORS, where={"fingerprint": "f1"})
    assert group == {
        **doc("e1", 7, fingerprint="f1", message="m-e3", context={"n": "e3"}, severity="High"),
        "occurrences": 3,
        "first_at": at(0),
        "last_at": at(7),
        "resolved": False,
    }
    assert ids(store.latest(ERRORS)) == ["e1", "x1"]  # by the last occurrence


def test_an_occurrence_counts_once_however_often_it_is_sent(store: StorePort) -> None:
    for _ in range(2):
        for number in range(150):  # more than the group itself remembers
            store.count_occurrence(occurrence(f"e{number}", number))
    assert store.count_occurrence(occurrence("e0", 0)) == 150
    (group,) = store.latest(ERRORS)
    assert (group["occurrences"], group["message"], group["last_at"]) == (150, "m-e149", at(149))
    assert store.count(ERRORS) == 1


def test_the_history_of_a_group_is_that_of_all_its_occurrences(store: StorePort) -> None:
    """Whenever they happened, in whatever order they are sent, and each once."""
    parts = [
        {"recent": [30], "days": {"1": 1}},
        {"recent": [10, 20], "days": {"0": 1, "1": 1}},
        {"recent": [], "days": {}},
    ]
    for number, history in enumerate(parts):
        for _ in range(2):
            store.count_occurrence(occurrence(f"o{number}", -number, history=history))
    store.count_occurrence(occurrence("o3"))  # of a FourEyes that did not send any
    found = store.get(ERRORS, "o0")
    assert found is not None and found["occurrences"] == 4
    assert found["history"] == {"recent": [10, 20, 30], "days": {"0": 1, "1": 2}}


def test_an_older_occurrence_counts_but_changes_nothing_else(store: StorePort) -> None:
    store.count_occurrence(occurrence("e1", 10))
    assert store.count_occurrence(occurrence("e2", 5)) == 2
    (group,) = store.latest(ERRORS)
    assert (group["message"], group["first_at"], group["last_at"], group["at"]) == ("m-e1", at(10), at(10), at(10))


def test_after_resolving_the_next_occurrence_opens_a_new_group(store: StorePort) -> None:
    store.count_occurrence(occurrence("e1", 0))
    store.count_occurrence(occurrence("e2", 1))
    assert store.resolve("e1", "fixed", at(2)) is True
    assert store.count_occurrence(occurrence("e3", 3)) == 1
    assert store.count_occurrence(occurrence("e2", 1)) == 2  # sent again: still counted in the old one
    resolved = store.get(ERRORS, "e1")
    assert resolved is not None
    assert (resolved["resolved"], resolved["resolution"], resolved["resolved_at"]) == (True, "fixed", at(2))
    assert resolved["occurrences"] == 2
    assert ids(store.latest(ERRORS, where={"resolved": False})) == ["e3"]
    assert ids(store.latest(ERRORS, where={"resolved": True, "fingerprint": "f1"})) == ["e1"]


def test_resolve_what_is_not_there(store: StorePort) -> None:
    assert store.resolve("e1", "fixed", T0) is False


def test_an_appended_error_takes_part_in_counting(store: StorePort) -> None:
    store.append(ERRORS, [doc("a", fingerprint="f1", message="m-a")])
    assert store.count_occurrence(occurrence("a")) == 1
    assert store.count_occurrence(occurrence("b", 1)) == 2
    (group,) = store.latest(ERRORS)
    assert (group["_id"], group["occurrences"], group["first_at"], group["last_at"]) == ("a", 2, at(0), at(1))


def test_context_keys_of_an_occurrence_may_be_any_text(store: StorePort) -> None:
    for name in ("e1", "e2"):
        store.count_occurrence({**occurrence(name), "context": {"$set": 1, "a.b": name}})
    (group,) = store.latest(ERRORS)
    assert group["context"] == {"$set": 1, "a.b": "e2"}


@pytest.mark.parametrize("fingerprint", [None, 7])
def test_an_occurrence_needs_a_fingerprint(store: StorePort, fingerprint: Any) -> None:
    with pytest.raises(DocumentRefused, match="'e1' fingerprint"):
        store.count_occurrence({**occurrence("e1"), "fingerprint": fingerprint})
    assert store.count(ERRORS) == 0


# --- purge, end


def test_purge_deletes_what_is_older(store: StorePort) -> None:
    store.append(READINGS, [doc("a", -2), doc("b", -0.001), doc("c", 0), doc("d", 1)])
    store.append(EVENTS, [doc("a", -2)])
    assert store.purge(READINGS, T0) == 2
    assert ids(store.latest(READINGS)) == ["d", "c"]
    assert store.purge(READINGS, T0) == 0
    assert store.count(EVENTS) == 1


def test_purge_of_errors_goes_by_the_last_occurrence(store: StorePort) -> None:
    store.count_occurrence(occurrence("e1", -10))
    store.count_occurrence(occurrence("x1", -9, fingerprint="f2"))
    store.count_occurrence(occurrence("e2", 1))
    assert store.purge(ERRORS, T0) == 1
    assert ids(store.latest(ERRORS)) == ["e1"]
    assert store.count_occurrence(occurrence("e2", 1)) == 2
    assert store.count_occurrence(occurrence("x2", 2, fingerprint="f2")) == 1


def test_everything_is_there_after_a_reopening(place: Place) -> None:
    store = place.open()
    store.append(READINGS, [doc("a", value=Decimal("1.10"))])
    store.count_occurrence(occurrence("e1"))
    store.close()
    store = place.open()
    assert store.get(READINGS, "a") == doc("a", value=Decimal("1.10"))
    assert store.count_occurrence(occurrence("e1")) == 1
    assert store.count_occurrence(occurrence("e2")) == 2
    assert store.append(READINGS, [doc("a")]) == 0
    store.close()


def test_a_closed_store_is_away(place: Place) -> None:
    store = place.open()
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable):
        store.append(READINGS, [doc("a")])
    with pytest.raises(StoreUnavailable):
        store.latest(READINGS)
    assert store.describe()


def test_several_threads_may_use_it(store: StorePort) -> None:
    errors: list[Exception] = []

    def write(name: str) -> None:
        try:
            for number in range(20):
                store.append(READINGS, [doc(f"{name}-{number}", number)])
                store.count_occurrence(occurrence(f"{name}-{number}", number))
                store.latest(READINGS, 5)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"t{number}",), name=f"writer-{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert store.count(READINGS) == 80
    (group,) = store.latest(ERRORS)
    assert group["occurrences"] == 80


def test_describe_says_kind_and_version(store: StorePort) -> None:
    assert store.describe().startswith(("SQLite 3.", "MongoDB "))
