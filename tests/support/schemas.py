"""The schemas of the written formats, as tests use them."""

from __future__ import annotations

import json
from importlib.resources import files

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = files("climb_edge") / "schemas"
NAMES = ("contract", "track", "metrics", "report")


def load(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))


def closed(schema):
    """A schema that also refuses every key without a description of its own: nothing that the
    program writes may be missing in the schema.
    """
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(part) for key, part in schema.items()}
    # `if`, `then` and `else` only narrow what is described beside them
    if "properties" in schema and "type" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


def validator(name: str, strict: bool = True) -> Draft202012Validator:
    """Of a schema as it is published, or `strict`, of its closed form."""
    change = closed if strict else lambda schema: schema
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents(change(schema))) for schema in map(load, NAMES)
    )
    return Draft202012Validator(change(load(name)), registry=registry)


def problems(name: str, value: object, strict: bool = True) -> list[str]:
    """Where `value`, as it stands in a file, is not as the schema says."""
    plain = json.loads(json.dumps(value, allow_nan=False))
    found = []
    for error in validator(name, strict).iter_errors(plain):
        found += [f"{e.json_path}: {e.message}" for e in (*error.context, error)]
    return found
