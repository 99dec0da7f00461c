"""What a ``response_format`` asks for, checked: which tasks, and which values of each. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foureyes_actors.inference.tasks import task_schema
from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import ApiError, invalid
from foureyes_actors.model_server.catalog import CatalogModel

Wanted = Mapping[Task, tuple[str, ...]]  # the names of each task's values, in the client's order; none: all of them

DEEPEST = 8  # references and alternatives within each other; pydantic writes two
VALUES = {task: tuple(task_schema(task)["properties"]) for task in Task}


def wanted(response_format: object, model: CatalogModel) -> Wanted:
    """What a JSON schema names, in its order: a strict client refuses an answer with more. Everything that the model
    can tell without a schema, and all values of a task whose own schema names none. Raises ApiError 400."""
    everything: Wanted = dict.fromkeys(model.tasks, ())
    if response_format is None:
        return everything
    if not isinstance(response_format, dict):
        raise _wrong("'response_format' must be an object")
    kind = response_format.get("type")
    if kind == "text":
        return everything
    if kind != "json_schema":
        raise _wrong("'response_format.type' must be 'json_schema' or 'text'")
    found = _of_schema(response_format.get("json_schema"))
    beyond = next((task for task in found if task not in model.tasks), None)
    if beyond is not None:
        raise _wrong(f"{model.id} cannot answer {beyond.value}; it answers {', '.join(model.tasks)}")
    return found


def _of_schema(wrapper: object) -> Wanted:
    schema = wrapper.get("schema") if isinstance(wrapper, Mapping) else None
    properties = _properties(schema, schema)
    if not properties:
        raise _wrong("'response_format.json_schema.schema.properties' must name tasks")
    known = {task.value: task for task in Task}
    _refuse_strange(properties, tuple(known))
    return {known[name]: _values(known[name], part, schema) for name, part in properties.items()}


def _values(task: Task, part: object, schema: object) -> tuple[str, ...]:
    named = _properties(part, schema)
    _refuse_strange(named, VALUES[task], f"{task.value}.")
    return tuple(named)


def _properties(part: object, schema: object, depth: int = 0) -> Mapping[str, Any]:
    """Those of ``part`` itself, or of what it refers to, or of its first alternative that has some (pydantic writes
    nested models as ``$ref``, optional ones as ``anyOf``)."""
    if not isinstance(part, Mapping) or depth > DEEPEST:
        return {}
    properties = part.get("properties")
    if isinstance(properties, Mapping):
        return properties
    others = [_referred(part.get("$ref"), schema)]
    for key in ("allOf", "anyOf", "oneOf"):
        others += part[key] if isinstance(part.get(key), list) else []
    return next((found for other in others if (found := _properties(other, schema, depth + 1))), {})


def _referred(reference: object, schema: object) -> object:
    """Within the schema only; nothing is ever fetched."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    place = schema
    for name in reference[2:].split("/"):
        place = place.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
    return place


def _refuse_strange(named: Mapping[str, Any], known: tuple[str, ...], before: str = "") -> None:
    strange = next((name for name in named if name not in known), None)
    if strange is not None:
        raise _wrong(f"The schema asks for {(before + str(strange))[:100]!a}; this server answers {', '.join(known)}")


def _wrong(message: str) -> ApiError:
    return invalid(message, param="response_format")
