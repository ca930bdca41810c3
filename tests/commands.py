"""Commands that tests run."""

import os
import subprocess
import sys


def call(*command, cwd=None, **env):
    """Run a command of this environment; its exit status and all it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    return done.returncode, done.stdout
