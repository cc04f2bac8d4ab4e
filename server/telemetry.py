"""Names of what leaves the process as log or metric. Nothing else logs, and nothing logs speech or text.

Levels: DEBUG for developers; INFO for one line per start, stop and repair; WARNING when something was lost in
time but not in data; ERROR when an operator must act.
"""

import logging

log = logging.getLogger("earshot")

SERVER_STARTED = "server started"
SERVER_STOPPING = "server stopping"
CALL_FAILED = "call failed"


def configure(level: str = "INFO") -> None:
    """Send our log lines to standard error in one plain format."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
