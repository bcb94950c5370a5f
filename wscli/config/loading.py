"""A file to a plan: read, parse, expand, type, check, assemble. Every problem is found before any is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from wscli.config.assemble import assemble
from wscli.config.channels import compile_channels
from wscli.config.context import Context
from wscli.config.endpoints import compile_endpoint
from wscli.config.expand import expand_tree
from wscli.config.gateway import check_gateway, conceal_token
from wscli.config.models import FileModel
from wscli.config.names import check_names, instance_name
from wscli.config.nodes import Branch, plain
from wscli.config.nothing import refuse_nothing
from wscli.config.parse import parse
from wscli.config.plan import Plan
from wscli.config.policies import Policies, check_verdicts
from wscli.config.problems import FatalProblem, Problems
from wscli.config.references import check_tokens
from wscli.config.source import STDIN, decode, read
from wscli.config.spots import Spot
from wscli.config.translate import translate_errors
from wscli.config.warnings import check_templates, check_unused, check_urls

__all__ = ["load_name", "load_plan", "load_redacted"]


def load_plan(file: Path, environ: Mapping[str, str]) -> Plan:
    """Read a file; see ``wscli.config.load``."""
    return _load(file, environ)[1]


def load_redacted(file: Path, environ: Mapping[str, str], *, as_json: bool) -> str:
    """Check a file and print it without its secrets; see ``wscli.config.show``."""
    from wscli.config.redact import to_json, to_yaml

    root, _ = _load(file, environ)
    return to_json(root) if as_json else to_yaml(root)


def load_name(file: Path, environ: Mapping[str, str]) -> str:
    """Read a file's instance name alone; see ``wscli.config.name_of``."""
    problems, elsewhere = Problems(str(file)), Problems(str(file))
    try:
        root = parse(decode(read(file)), elsewhere)
    except FatalProblem as fatal:
        raise elsewhere.error(fatal) from None
    expand_tree(root, environ, elsewhere)
    real = Path(os.path.realpath(file))
    name = instance_name(Spot(root).get("name"), real, Context(problems, base=real.parent, tokens=None))
    if problems:
        raise problems.error()
    return name or load_plan(file, environ).name  # which says what it is instead of a name


def _load(file: Path, environ: Mapping[str, str]) -> tuple[Branch, Plan]:
    problems = Problems("<stdin>" if file == STDIN else str(file))
    try:
        root = parse(decode(read(file)), problems)
    except FatalProblem as fatal:
        raise problems.error(fatal) from None
    warnings = Problems(problems.label)
    check_templates(Spot(root), warnings)
    secrets = expand_tree(root, environ, problems)
    conceal_token(root)
    plan = _plan(Spot(root), file, problems)
    if plan is None:
        raise problems.error()
    check_unused(Spot(root), warnings)
    check_urls(Spot(root), plan, warnings)
    return root, replace(plan, secrets=secrets, warnings=warnings.lines())


def _typed(root: Spot, problems: Problems) -> FileModel | None:
    try:
        return FileModel.model_validate(plain(root.node))
    except ValidationError as error:
        translate_errors(error, root, problems)
        return None


def _plan(root: Spot, file: Path, problems: Problems) -> Plan | None:
    real = file if file == STDIN else Path(os.path.realpath(file))
    refuse_nothing(root, problems)
    model = _typed(root, problems)
    tokens = root.get("tokens")
    context = Context(
        problems,
        base=Path.cwd() if file == STDIN else real.parent,
        tokens=list(dict(_entries(tokens))) if _is_map(tokens) else None,
    )
    name = instance_name(root.get("name"), real, context)
    for spot, what in ((root.get("endpoints"), "endpoint"), (tokens, "token source"), (root.get("backoff"), "policy")):
        check_names(spot, what, context)
    check_tokens(tokens, context)
    policies = Policies(root.get("backoff"), context)
    verdicts = check_verdicts(root.get("verdicts"), context)
    above = (verdicts,) if verdicts else ()
    endpoints = {
        name: compile_endpoint(spot, policies, above, context) for name, spot in _entries(root.get("endpoints"))
    }
    known = endpoints if _is_map(root.get("endpoints")) else None
    channels = compile_channels(root.get("channels"), known, policies, context)
    check_gateway(root.get("gateway"), context)
    if not problems and not channels and not tokens:
        problems.add(root.mark, (), "nothing is declared; 'channels:' and 'tokens:' are what a manager holds")
    if problems or model is None:
        return None
    return assemble(model, channels, name=name, file=real, base=context.base)


def _is_map(spot: Spot | None) -> bool:
    """Whether a section can be read; one that is left out can."""
    return spot is None or isinstance(spot.node, Branch)


def _entries(spot: Spot | None) -> list[tuple[str, Spot]]:
    return [] if spot is None else list(spot.entries())
