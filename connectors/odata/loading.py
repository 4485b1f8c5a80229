"""Reading `$metadata`: CSDL in XML or in JSON, both as the JSON form, which the rest of the connector reads.

Source: OData CSDL JSON Representation 4.01 and OData CSDL XML Representation 4.01.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from connectors.odata.markup import LARGEST_DOCUMENT, Element, Unreadable, read_markup

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_COLLECTION: Final = "Collection("


def read_metadata(content: bytes) -> Object:
    """Return the CSDL document in `content`, in its JSON form.

    Raises:
        Unreadable: it is too large, neither XML nor JSON, not of OData 4, or unsafe to read.
    """
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    document = _of_json(text) if text.startswith(b"{") else _of_xml(read_markup(content))
    version = str(document.get("$Version", ""))
    if not version.startswith("4."):
        raise Unreadable(f"This is OData {version[:10] or 'of no version'}; only OData 4 is imported.")
    return document


def _of_json(content: bytes) -> Object:
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(f"The document is larger than {LARGEST_DOCUMENT} bytes.")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The document is no JSON, or is nested too deeply.") from error
    return cast("Object", document)


def _of_xml(root: Element) -> Object:
    if root.name != "Edmx":
        raise Unreadable("The document is no $metadata: its root is not edmx:Edmx.")
    document: Object = {"$Version": root.attributes.get("Version", ""), "$Reference": {}}
    for reference in root.all("Reference"):
        included = [_named(one, "Namespace", "Alias") for one in reference.all("Include")]
        document["$Reference"][reference.attributes.get("Uri", "")] = {"$Include": included}
    for services in root.all("DataServices"):
        for schema in services.all("Schema"):
            _add_schema(document, schema)
    return document


def _add_schema(document: Object, schema: Element) -> None:
    namespace = schema.attributes.get("Namespace", "")
    said: Object = document.setdefault(namespace, {})
    said |= _named(schema, "Alias")
    for child in schema.children:
        name = child.attributes.get("Name", "")
        match child.name:
            case "Action" | "Function":
                said.setdefault(name, []).append(_operation(child))
            case "Annotations":
                target = said.setdefault("$Annotations", {}).setdefault(child.attributes.get("Target", ""), {})
                target |= _annotations(child)
            case "EntityContainer":
                document["$EntityContainer"] = f"{namespace}.{name}"
                said[name] = _container(child)
            case kind if kind in _KINDS:
                said[name] = {"$Kind": kind, **_KINDS[kind](child), **_annotations(child)}
            case _:
                pass  # terms and annotations of the schema itself say nothing about its tools


def _named(element: Element, *names: str) -> Object:
    return {f"${name}": element.attributes[name] for name in names if name in element.attributes}


def _structured(element: Element) -> Object:
    said = _named(element, "BaseType")
    said |= {
        f"${name}": True for name in ("Abstract", "OpenType", "HasStream") if element.attributes.get(name) == "true"
    }
    for key in element.all("Key"):
        said["$Key"] = [_key(one) for one in key.all("PropertyRef")]
    for one in element.all("Property"):
        said[one.attributes.get("Name", "")] = {**_typed(one), **_annotations(one)}
    for one in element.all("NavigationProperty"):
        said[one.attributes.get("Name", "")] = {"$Kind": "NavigationProperty", **_navigation(one), **_annotations(one)}
    return said


def _key(reference: Element) -> Json:
    name = reference.attributes.get("Name", "")
    return {reference.attributes["Alias"]: name} if "Alias" in reference.attributes else name


def _typed(element: Element) -> Object:
    """Return what a property, a parameter or a return type is. In XML it may be null unless it says otherwise."""
    said = _type(element.attributes.get("Type", "Edm.String"))
    said["$Nullable"] = element.attributes.get("Nullable", "true") == "true"
    if "DefaultValue" in element.attributes:
        said["$DefaultValue"] = element.attributes["DefaultValue"]
    for name in ("MaxLength", "Precision", "Scale"):
        number = element.attributes.get(name, "")
        if number.isdecimal() and len(number) <= _DIGITS:
            said[f"${name}"] = int(number)
    return said


def _type(name: str) -> Object:
    if name.startswith(_COLLECTION):
        return {"$Type": name.removeprefix(_COLLECTION).removesuffix(")"), "$Collection": True}
    return {"$Type": name}


def _navigation(element: Element) -> Object:
    said = {**_typed(element), **_named(element, "Partner")}
    if element.attributes.get("ContainsTarget") == "true":
        said["$ContainsTarget"] = True
    for deleted in element.all("OnDelete"):
        said["$OnDelete"] = deleted.attributes.get("Action", "")
    said["$ReferentialConstraint"] = {
        one.attributes.get("Property", ""): one.attributes.get("ReferencedProperty", "")
        for one in element.all("ReferentialConstraint")
    }
    return said


def _enumeration(element: Element) -> Object:
    said: Object = {"$IsFlags": element.attributes.get("IsFlags") == "true"}
    for number, member in enumerate(element.all("Member")):
        said[member.attributes.get("Name", "")] = member.attributes.get("Value", str(number))
    return said


def _operation(element: Element) -> Object:
    said: Object = {"$Kind": element.name, "$IsBound": element.attributes.get("IsBound") == "true"}
    said["$Parameter"] = [
        {"$Name": one.attributes.get("Name", ""), **_typed(one), **_annotations(one)}
        for one in element.all("Parameter")
    ]
    for one in element.all("ReturnType"):
        said["$ReturnType"] = _typed(one)
    return {**said, **_annotations(element)}


def _container(element: Element) -> Object:
    said: Object = {"$Kind": "EntityContainer"}
    for child in element.children:
        part: Object = _annotations(child)
        match child.name:
            case "EntitySet":
                part |= {"$Type": child.attributes.get("EntityType", ""), "$Collection": True}
            case "Singleton":
                part |= _named(child, "Type")
            case "ActionImport" | "FunctionImport":
                part |= _named(child, "Action", "Function", "EntitySet")
            case _:
                continue
        said[child.attributes.get("Name", "")] = part
    return said


_KINDS: Final[Mapping[str, Callable[[Element], Object]]] = {
    "EntityType": _structured,
    "ComplexType": _structured,
    "EnumType": _enumeration,
    "TypeDefinition": lambda element: {"$UnderlyingType": element.attributes.get("UnderlyingType", "Edm.String")},
}


def _annotations(element: Element) -> Object:
    """Return the annotations in `element`, as members `@Term` or `@Term#Qualifier`."""
    said: Object = {}
    for one in element.all("Annotation"):
        qualifier = one.attributes.get("Qualifier", "")
        term = f"@{one.attributes.get('Term', '')}{'#' if qualifier else ''}{qualifier}"
        said[term] = _value(one, otherwise=True)
    return said


def _value(element: Element, *, otherwise: Json = None) -> Json:
    """Return the constant, path, record or collection that `element` says; `otherwise` if it says nothing."""
    for name, value in element.attributes.items():
        if name in _CONSTANTS:
            return _CONSTANTS[name](value)
    for child in element.children:
        if child.name != "Annotation":
            return _child_value(child)
    return otherwise


def _child_value(child: Element) -> Json:
    if child.name == "Record":
        return {one.attributes.get("Property", ""): _value(one, otherwise=True) for one in child.all("PropertyValue")}
    if child.name == "Collection":
        return [_child_value(one) for one in child.children]
    return _CONSTANTS.get(child.name, str)(child.text.strip())


_DIGITS: Final = 20
"""Of a number, its sign among them: OData knows 64 bits, and Python reads no number of thousands of digits."""
_CONSTANTS: Final[Mapping[str, Callable[[str], Json]]] = {
    "Bool": lambda text: text == "true",
    "Int": lambda text: int(text) if text.lstrip("-").isdecimal() and len(text) <= _DIGITS else text,
    **dict.fromkeys(
        {"String", "EnumMember", "Path", "PropertyPath", "NavigationPropertyPath", "AnnotationPath", "Decimal", "Float"}
        | {"Date", "DateTimeOffset", "Duration", "Guid", "TimeOfDay", "Binary"},
        str,
    ),
}
