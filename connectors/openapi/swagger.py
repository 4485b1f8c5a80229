"""What Swagger 2.0 says in its own way: types beside a parameter's name, collection formats, bodies as parameters."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.openapi.document import Document, Object, as_list, as_object, as_text

Json = Any
"""Any JSON value."""

_ABOUT_THE_PARAMETER: Final = frozenset(
    {"name", "in", "required", "description", "collectionFormat", "allowEmptyValue", "schema"}
)
_STYLES: Final[Mapping[str, tuple[str, bool]]] = {
    "csv": ("", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
"""Collection formats as the styles that came after them. Source: Swagger 2.0, Parameter Object, collectionFormat."""
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def swagger_schema(parameter: Mapping[str, Json]) -> Object:
    """Return the schema of a parameter, which stands beside its name."""
    return {name: member for name, member in parameter.items() if name not in _ABOUT_THE_PARAMETER}


def swagger_style(parameter: Mapping[str, Json], place: str) -> tuple[str, bool]:
    """Return style and explode of a parameter in `place`; without a style it is the usual one there."""
    style, explode = _STYLES.get(as_text(parameter.get("collectionFormat")) or "csv", ("", False))
    return style or ("form" if place in {"query", "formData"} else "simple"), explode


def swagger_body(document: Document, said: Object) -> tuple[str, Object, bool, Object] | None:
    """Return media type, schema, whether it is required, and encoding of what the request carries."""
    consumes = [as_text(one) for one in as_list(said.get("consumes", document.root.get("consumes")))]
    for parameter in said["parameters"]:
        if parameter["in"] == "body":
            media_type = _preferred([one for one in consumes if one not in _FORMS]) or "application/json"
            return media_type, as_object(parameter.get("schema")), parameter.get("required") is True, {}
    fields = [parameter for parameter in said["parameters"] if parameter["in"] == "formData"]
    return _form(fields, consumes) if fields else None


def swagger_answers(document: Document, said: Object, response: Object) -> Object:
    """Return what a response carries by media type, as OpenAPI 3 has it."""
    if "schema" not in response:
        return {}
    produces = [as_text(one) for one in as_list(said.get("produces", document.root.get("produces")))]
    schema = as_object(response["schema"])
    is_file = schema.get("type") == "file"
    media_type = "application/octet-stream" if is_file and "application/json" in produces else _preferred(produces)
    return {media_type or ("application/octet-stream" if is_file else "application/json"): {"schema": schema}}


def _form(fields: list[Object], consumes: list[str]) -> tuple[str, Object, bool, Object]:
    has_file = any(one.get("type") == "file" for one in fields)
    is_multipart = has_file or ("multipart/form-data" in consumes and _FORMS[0] not in consumes)
    schema: Object = {
        "type": "object",
        "properties": {
            one["name"]: {**swagger_schema(one), "description": as_text(one.get("description"))} for one in fields
        },
        "required": [one["name"] for one in fields if one.get("required") is True],
    }
    styles = {one["name"]: swagger_style(one, "formData") for one in fields if one.get("type") == "array"}
    encoding = {name: {"style": style, "explode": explode} for name, (style, explode) in styles.items()}
    return _FORMS[is_multipart], schema, bool(schema["required"]), encoding


def _preferred(media_types: list[str]) -> str:
    ranked = sorted(media_types, key=lambda one: ("json" not in one, not one.startswith("text/")))
    return ranked[0] if ranked else ""
