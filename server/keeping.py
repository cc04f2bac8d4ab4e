"""`earshot inspect --keep DIR`: inspected calls as a history that `earshot backtest` reads."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from operators.rules.judge import VERDICTS
from operators.table import CallTable, concat
from server.adapters import store
from server.adapters.store import Judged
from server.pipeline.session import Inspection

AT_ONCE = 4096
"""Calls held back until a file of them is written."""
SOURCE = "source_path"
"""Metadata field that says where the recording lies, for whoever wants to listen."""


@dataclass
class Keeper:
    """Writes inspected calls to a folder, if there is one; failed calls have nothing to keep."""

    folder: Path | None
    kept: int = 0

    def __post_init__(self) -> None:
        self._waiting: list[tuple[CallTable, dict[str, Any]]] = []

    def add(self, done: Inspection, path: Path) -> None:
        """Keep one call.

        Raises:
            BadHistory: the folder cannot be written.
        """
        if done.table is None or self.folder is None:
            return
        meta = {SOURCE: (str(path.resolve()),), **done.table.meta}
        self._waiting.append((replace(done.table, meta=meta), done.result))
        if len(self._waiting) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits: a file for each set of labels and rules (they change with the models)."""
        if self.folder is None:
            return
        groups: dict[tuple[object, ...], list[tuple[CallTable, dict[str, Any]]]] = {}
        for table, result in self._waiting:
            key = (table.tag_labels, table.emotion_labels, str(result["versions"]), tuple(result["rules"]))
            groups.setdefault(key, []).append((table, result))
        for calls in groups.values():
            _write(self.folder, calls)
            self.kept += len(calls)
        self._waiting.clear()

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()


def _write(folder: Path, calls: list[tuple[CallTable, dict[str, Any]]]) -> None:
    results = [result for _, result in calls]
    rules = results[0]["rules"]
    rows = [[VERDICTS.index(result["rules"][rule]["verdict"]) for result in results] for rule in rules]
    judged = Judged(
        pack=results[0]["versions"]["pack"],
        items={rule: about["item"] for rule, about in rules.items()},
        verdict=np.array(rows, np.int8).reshape(len(rules), len(results)),
    )
    store.add(folder, concat([table for table, _ in calls]), versions=results[0]["versions"], judged=judged)
