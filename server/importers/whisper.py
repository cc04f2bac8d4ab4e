"""stub"""
from pathlib import Path
from server.importers.draft import Draft, Wishes
def is_export(source: Path) -> bool:
    return False
def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    raise NotImplementedError
