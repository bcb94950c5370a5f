"""Python packages of others that are servers, in a virtual environment of their own."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.e2e.peers.programs import absent

__all__ = ["python_of_servers"]

_REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def python_of_servers() -> Path:
    """Give the Python of ``.venv-servers``, which has the packages of ``requirements.txt``; made if it is not there."""
    home = _REQUIREMENTS.parents[2] / ".venv-servers"
    python, installed = home / "bin" / "python", home / "installed.txt"
    wanted = _REQUIREMENTS.read_text()
    with _REQUIREMENTS.open() as lock:  # two test processes at once install once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != wanted:
            make = [sys.executable, "-m", "venv", "--without-pip", str(home)]
            pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
            for command in (make, [*pip, "install", "--quiet", "--no-compile", "-r", str(_REQUIREMENTS)]):
                done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
                if done.returncode:
                    absent(f"the servers of {_REQUIREMENTS.name} could not be installed: {done.stderr.strip()[-500:]}")
            installed.write_text(wanted)
    return python
