"""Read a file into a plan: read, parse, expand, type, check, assemble. All problems are reported together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from wscli.config.assemble import assemble
from wscli.config.checks.channels import compile_channels
from wscli.config.checks.context import Context
from wscli.config.checks.endpoints import compile_endpoint
from wscli.config.checks.gateway import check_gateway, conceal_token
from wscli.config.checks.names import check_names, instance_name
from wscli.config.checks.policies import Policies, check_verdicts
from wscli.config.checks.references import check_tokens
from wscli.config.models.file import FileModel
from wscli.config.plan import Plan
from wscli.config.presets import UsedPreset, apply_presets
from wscli.config.reading.expand import expand_tree
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Leaf, plain
from wscli.config.reading.parse import parse_yaml
from wscli.config.reading.problems import FatalProblem, FileProblems
from wscli.config.reading.source import STDIN, decode_text, read_file
from wscli.config.resolved import resolved_file
from wscli.config.schema import hint_for
from wscli.config.translate import report_errors
from wscli.config.warnings import check_templates, check_unused, check_urls
from wscli.templates import unquoted_placeholder
from wscli.values import is_extension

__all__ = ["load", "name_of", "read_plan", "read_resolved"]

_JSON = ("expect", "json", "keep", "match", "merge", "outgoing", "reply", "route", "send", "set", "stdin", "when")
"""Keys of a session whose values are JSON."""


def load(file: Path, environ: Mapping[str, str]) -> Plan:
    """Read a file into a plan; ``-`` is stdin.

    Raises:
        ConfigError: with one line for each problem, sorted by place: ``app.yaml:12:5: channels.calls.backof: ...``.
    """
    return read_plan(file, environ)[1]


def read_plan(file: Path, environ: Mapping[str, str]) -> tuple[Branch, Plan]:
    """Read a file into its tree, with variables expanded, and its plan; raises as ``load`` does."""
    written, _, _, plan = _read(file, environ)
    return written, plan


def read_resolved(file: Path, environ: Mapping[str, str], channel: str) -> Branch:
    """Read a file, and give what one of its channels is, as a file of its own; raises as ``load`` does.

    Raises:
        UnknownChannel: the file declares no such channel.
    """
    _, merged, presets, plan = _read(file, environ)
    return resolved_file(merged, presets, plan, channel)


def _read(file: Path, environ: Mapping[str, str]) -> tuple[Branch, Branch, Mapping[str, UsedPreset], Plan]:
    """Give the tree as it is written, with presets, the presets by endpoint, and the plan."""
    problems = FileProblems("<stdin>" if file == STDIN else str(file))
    root = _parse(file, problems)
    located, warnings = Located(root), FileProblems(problems.label)
    check_templates(located, warnings)
    variables = expand_tree(root, environ, problems)
    conceal_token(root)
    merged, presets = apply_presets(root, problems)
    whole = Located(merged)
    plan = _plan(whole, file, problems, frozenset(filter(None, variables.values())), presets)
    if plan is None:
        raise problems.error(hint=hint_for(problems.paths()))
    check_unused(whole, warnings)
    check_urls(located, plan, warnings)
    variables |= {one.env.name: environ.get(one.env.name, "") for one in plan.tokens.values() if one.env is not None}
    return root, merged, presets, replace(plan, variables=variables, warnings=warnings.lines())


def name_of(file: Path, environ: Mapping[str, str]) -> str:
    """Give the name of a file's instance, whatever else may be wrong with the file.

    Raises:
        ConfigError: the file cannot be read, or its name is invalid.
    """
    problems, elsewhere = FileProblems(str(file)), FileProblems(str(file))
    root = _parse(file, elsewhere)
    expand_tree(root, environ, elsewhere)
    real = Path(os.path.realpath(file))
    name = instance_name(Located(root).get("name"), real, Context(problems, base=real.parent, tokens=None))
    if problems:
        raise problems.error(hint=hint_for(problems.paths()))
    return name or read_plan(file, environ)[1].name  # which reports what stands in place of a name


def _parse(file: Path, problems: FileProblems) -> Branch:
    try:
        return parse_yaml(decode_text(read_file(file)), problems)
    except FatalProblem as fatal:
        raise problems.error(fatal) from None


def _plan(
    root: Located, file: Path, problems: FileProblems, secrets: frozenset[str], presets: Mapping[str, UsedPreset]
) -> Plan | None:
    real = file if file == STDIN else Path(os.path.realpath(file))
    _refuse_nulls(root, problems)
    endpoints, tokens, backoff = root.get("endpoints"), root.get("tokens"), root.get("backoff")
    context = Context(
        problems,
        base=Path.cwd() if file == STDIN else real.parent,
        tokens=list(dict(root.section("tokens"))) if _is_map(tokens) else None,
    )
    model = _typed(root, context)
    name = instance_name(root.get("name"), real, context)
    for section, what in ((endpoints, "an endpoint"), (tokens, "a token source"), (backoff, "a policy")):
        check_names(section, what, context)
    check_tokens(tokens, context)
    policies = Policies(backoff, context)
    verdicts = check_verdicts(root.get("verdicts"), (), context)
    compiled = {
        name: compile_endpoint(one, policies, verdicts, context, presets.get(name))
        for name, one in root.section("endpoints")
    }
    known = compiled if _is_map(endpoints) else None
    channels = compile_channels(root.get("channels"), known, policies, context)
    check_gateway(root.get("gateway"), None if model is None else model.gateway, context)
    if not problems and not channels and not tokens:
        problems.add(root.mark, (), "nothing is declared; declare 'channels:' or 'tokens:'")
    if problems or model is None:
        return None
    return assemble(model, channels, policies.default.policy, name=name, file=real, secrets=secrets)


def _typed(root: Located, context: Context) -> FileModel | None:
    try:
        return FileModel.model_validate(plain(root.node), context={"base": context.base})
    except ValidationError as error:
        report_errors(error, root, context.problems)
        return None


def _is_map(section: Located | None) -> bool:
    """Whether a section can be read; one that is left out can."""
    return section is None or isinstance(section.node, Branch)


def _refuse_nulls(located: Located, problems: FileProblems) -> None:
    """Refuse nulls, such as ``path:``, ``path: ~`` and ``path: null``, except in JSON of the file's own."""
    node, path = located.node, located.path
    if path and is_extension(path[-1]) and path[-2:-1] not in (("headers",), ("query",)):
        return
    if isinstance(node, Branch) and len(node.entries) == 1 and unquoted_placeholder(plain(node)):
        return  # the types report that it must be quoted
    if isinstance(node, Leaf) and node.is_nothing and not problems.at(node.mark):
        if node.value:
            text = f"'{node.value}' is not a value here; leave the key out, or quote it to mean the text"
        else:
            text = "the value is missing; leave the key out, or give one ('' is an empty text)"
        problems.add(node.mark, path, text)
    if path[-2:] == ("http", "json") or path[2:] == ("with",) or (path[2:3] == ("session",) and path[-1] in _JSON):
        return
    for child in (*(entry for _, entry in located.entries()), *located.items()):
        _refuse_nulls(child, problems)
