"""OTLP's messages, as they are read here.

The wire format allows three liberties, and each has a reason. Text is read as bytes, so one
invalid UTF-8 byte can't take a request down. What a message holds may be left as the bytes of
one field, to be read later, alone, or not at all. And resource, scope and item have the same
numbers in traces and logs, so one tree serves both.

    Strict   everything down to the innermost value: what it refuses is no OTLP
    Columns  what becomes columns: resources, scopes, lists and maps are left as bytes
    Shell    of an item, only its bytes
    Ids      of an item, only who it is
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

# protobuf ships no type information of its own
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _FIXED64, _FIXED32 = _Field.TYPE_BYTES, _Field.TYPE_FIXED64, _Field.TYPE_FIXED32
_INT32, _INT64, _BOOL, _DOUBLE = _Field.TYPE_INT32, _Field.TYPE_INT64, _Field.TYPE_BOOL, _Field.TYPE_DOUBLE

Tree = Literal["traces", "logs"]
_Shape = tuple[tuple[str, int, int | str], ...]
"""Field, number, and its type: a scalar's, or a message's name; `*Name` where it is repeated."""

_VALUE: _Shape = (
    ("string_value", 1, _BYTES),
    ("bool_value", 2, _BOOL),
    ("int_value", 3, _INT64),
    ("double_value", 4, _DOUBLE),
    ("array_value", 5, "Values"),
    ("kvlist_value", 6, "Pairs"),
    ("bytes_value", 7, _BYTES),
)


def _item(tree: Tree, attribute: str, value: str) -> dict[str, _Shape]:
    if tree == "logs":
        return {
            "Item": (
                ("time_unix_nano", 1, _FIXED64),
                ("severity_number", 2, _INT32),
                ("severity_text", 3, _BYTES),
                ("body", 5, value),
                ("attributes", 6, f"*{attribute}"),
                ("flags", 8, _FIXED32),
                ("trace_id", 9, _BYTES),
                ("span_id", 10, _BYTES),
                ("observed_time_unix_nano", 11, _FIXED64),
                ("event_name", 12, _BYTES),
            )
        }
    return {
        "Item": (
            ("trace_id", 1, _BYTES),
            ("span_id", 2, _BYTES),
            ("trace_state", 3, _BYTES),
            ("parent_span_id", 4, _BYTES),
            ("name", 5, _BYTES),
            ("kind", 6, _INT32),
            ("start_time_unix_nano", 7, _FIXED64),
            ("end_time_unix_nano", 8, _FIXED64),
            ("attributes", 9, f"*{attribute}"),
            ("events", 11, "*Event"),
            ("links", 13, "*Link"),
            ("status", 15, "Status"),
        ),
        "Event": (("time_unix_nano", 1, _FIXED64), ("name", 2, _BYTES), ("attributes", 3, f"*{attribute}")),
        "Link": (
            ("trace_id", 1, _BYTES),
            ("span_id", 2, _BYTES),
            ("trace_state", 3, _BYTES),
            ("attributes", 4, f"*{attribute}"),
        ),
        "Status": (("message", 2, _BYTES), ("code", 3, _INT32)),
    }


def _export(resource: int | str, scope: int | str, item: int | str) -> dict[str, _Shape]:
    return {
        "Export": (("groups", 1, "*Group"),),
        "Group": (("resource", 1, resource), ("scopes", 2, "*ScopeGroup"), ("schema_url", 3, _BYTES)),
        "ScopeGroup": (("scope", 1, scope), ("items", 2, item), ("schema_url", 3, _BYTES)),
    }


def _shapes(tree: Tree) -> dict[str, dict[str, _Shape]]:
    strict = {
        **_export("Resource", "Scope", "*Item"),
        **_item(tree, "Attribute", "Value"),
        "Resource": (("attributes", 1, "*Attribute"),),
        "Scope": (("name", 1, _BYTES), ("version", 2, _BYTES), ("attributes", 3, "*Attribute")),
        "Attribute": (("key", 1, _BYTES), ("value", 2, "Value")),
        "Value": _VALUE,
        "Values": (("values", 1, "*Value"),),
        "Pairs": (("values", 1, "*Attribute"),),
    }
    columns = {
        **_export(_BYTES, _BYTES, "*Item"),
        **_item(tree, "Attribute", "Value"),
        "Attribute": (("key", 1, _BYTES), ("value", 2, "Value")),
        # a list or a map may come in pieces
        "Value": tuple((name, at, "*" if isinstance(kind, str) else kind) for name, at, kind in _VALUE),
    }
    shell = _export(_BYTES, _BYTES, "*")
    ids = {"Item": tuple(field for field in strict["Item"] if field[0] in ("trace_id", "span_id"))}
    return {"Strict": strict, "Columns": columns, "Shell": shell, "Ids": ids}


@cache
def file_of(tree: Tree) -> FileDescriptor:
    """The messages of traces or logs, as `Strict.Export`, `Ids.Item`, ..."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"assay/{tree}.proto", package=f"assay.{tree}", syntax="proto3"
    )
    for group, messages in _shapes(tree).items():
        around = file.message_type.add(name=group)
        for name, shape in messages.items():
            message = around.nested_type.add(name=name)
            if name == "Value":
                message.oneof_decl.add(name="value")
            for field, number, kind in shape:
                one = message.field.add(name=field, number=number, label=_Field.LABEL_OPTIONAL)
                if isinstance(kind, str):
                    if kind.startswith("*"):
                        one.label = _Field.LABEL_REPEATED
                    if target := kind.lstrip("*"):
                        one.type, one.type_name = _Field.TYPE_MESSAGE, f".assay.{tree}.{group}.{target}"
                    else:
                        one.type = _BYTES
                else:
                    one.type = _Field.Type.ValueType(kind)
                if name == "Value" and kind != "*":
                    one.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found: FileDescriptor = pool.FindFileByName(file.name)
    return found


@cache
def message(tree: Tree, name: str) -> Any:
    """A message's class; `name` is such as `Strict.Export`."""
    around, _, inner = name.partition(".")
    descriptor = file_of(tree).message_types_by_name[around].nested_types_by_name[inner]
    return message_factory.GetMessageClass(descriptor)
