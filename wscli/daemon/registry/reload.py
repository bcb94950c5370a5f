"""Read the file again, and apply what changed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from shlex import quote
from typing import cast

from wscli.config.loading import load
from wscli.config.plan import Plan
from wscli.control.messages import Reload
from wscli.daemon.registry.manager import Manager
from wscli.errors import ConfigError

__all__ = ["log_warnings", "reload_file"]

logger = logging.getLogger("wscli.manager")

_UNSET = re.compile(r"\$\{\w+\} is not set")
"""The problem of a variable that is not set."""


def log_warnings(plan: Plan) -> None:
    """Write the warnings of a file into the log."""
    for warning in plan.warnings:
        logger.warning("%s", warning, extra={"event": "config-warning"})


async def reload_file(manager: Manager) -> Reload:
    """Validate the manager's file, then apply it; an invalid file changes nothing.

    Raises:
        ConfigError: the file is invalid, or names another instance.
        NoInstance: the manager was closed in the meantime.
    """
    async with manager.reloading():
        try:
            plan = await asyncio.to_thread(load, manager.plan.file, os.environ)
        except ConfigError as error:
            if _UNSET.search(error.message):  # it may be set in the user's shell
                error.hint = (
                    f"the manager has the environment that it was started with; `wscli down -i {manager.plan.name}`, "
                    f"then `wscli up -d -c {quote(str(manager.plan.file))}` gives it another"
                )
            raise
        if plan.name != manager.plan.name:
            raise ConfigError(
                f"{plan.file.name}: the file now names instance {plan.name!r}, and this one is {manager.plan.name!r}",
                "`wscli down`, then `wscli up -d` makes an instance of the new name",
            )
        report = manager.apply(plan)
    log_warnings(plan)
    lists = cast("dict[str, list[str]]", report)
    logger.info("reloaded: %s", ", ".join(f"{len(names)} {what}" for what, names in lists.items() if names))
    return report
