"""Templates: text with ``{ns.name:filter?default}``, compiled once and filled at run time; no I/O.

``text`` has templates of text, ``trees`` of JSON, ``names`` those with a bare ``{id}``; ``paths`` and ``shapes`` look
into JSON values.
"""

from __future__ import annotations

from wscli.templates.filters import Scope, TemplateError, did_you_mean, now
from wscli.templates.names import PathTemplate, compile_name, compile_path
from wscli.templates.text import NAMESPACES, PartlyFilled, Template, compile_template, unquoted_placeholder
from wscli.templates.trees import JsonTemplate, compile_json

__all__ = [
    "NAMESPACES",
    "JsonTemplate",
    "PartlyFilled",
    "PathTemplate",
    "Scope",
    "Template",
    "TemplateError",
    "compile_json",
    "compile_name",
    "compile_path",
    "compile_template",
    "did_you_mean",
    "now",
    "unquoted_placeholder",
]
