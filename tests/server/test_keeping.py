"""What `earshot inspect --keep` writes is the table that was judged, with its verdicts."""

import json
from pathlib import Path

import numpy as np
import pytest

from operators.rules.judge import VERDICTS
from operators.testing import call
from server import keeping
from server.adapters import store
from server.errors import BadHistory
from server.keeping import Keeper
from server.pipeline.session import Inspection


def inspected(call_id: str, verdict: str, model: str = "1") -> Inspection:
    rules = {"insult": {"verdict": verdict, "item": "rude", "reason": ""}}
    versions = {"pack": "p 1", "models": {"asr": model}, "earshot": "0"}
    table = call(f"A 0-2 {call_id} | C 3-4 喂", {"direction": "outbound"}, call_id=call_id)
    return Inspection({"call_id": call_id, "versions": versions, "rules": rules, "error": None}, table=table)


def test_calls_come_back_with_verdicts_versions_and_path(tmp_path: Path) -> None:
    done = [inspected("a", "hit"), inspected("b", "pass"), inspected("c", "unknown", model="2")]
    with Keeper(tmp_path / "kept") as keeper:
        for one in done:
            keeper.add(one, Path("calls") / f"{one.result['call_id']}.wav")
        keeper.add(Inspection({"call_id": "d", "error": {"code": "empty"}}), Path("d.wav"))
    assert keeper.kept == 3
    found = {}
    for path in store.files(tmp_path / "kept"):
        footer = store.footer(path)
        table, verdict = store.read(footer, range(len(footer.groups)))
        assert (footer.pack, footer.items) == ("p 1", {"insult": "rude"})
        for n, name in enumerate(table.call_ids):
            found[name] = (VERDICTS[verdict[0, n]], footer.versions["models"]["asr"])
            assert table.meta["source_path"][n] == str(Path("calls", f"{name}.wav").resolve())
            assert table.turn_text(2 * n) == name and table.meta["direction"][n] == "outbound"
    assert found == {"a": ("hit", "1"), "b": ("pass", "1"), "c": ("unknown", "2")}


def test_many_calls_are_written_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "AT_ONCE", 2)
    keeper = Keeper(tmp_path)
    for name in "abc":
        keeper.add(inspected(name, "hit"), Path(name))
    assert (keeper.kept, len(store.files(tmp_path))) == (2, 1)
    keeper.flush()
    keeper.flush()
    assert (keeper.kept, len(store.files(tmp_path))) == (3, 2)


def test_without_a_folder_nothing_is_kept() -> None:
    with Keeper(None) as keeper:
        keeper.add(inspected("a", "hit"), Path("a.wav"))
    assert keeper.kept == 0


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps(np.pi))
    keeper = Keeper(tmp_path / "file")
    keeper.add(inspected("a", "hit"), Path("a.wav"))
    with pytest.raises(BadHistory, match="cannot be kept"):
        keeper.flush()
