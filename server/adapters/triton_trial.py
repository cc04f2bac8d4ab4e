"""Some models alone in a Triton of their own: proves a folder before it takes its place in the road."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.adapters.triton import TritonModels
from server.adapters.triton_supervisor import Supervisor
from server.config import Settings


@contextmanager
def trial(settings: Settings, *models: str) -> Iterator[TritonModels]:
    """Serve only ``models`` of the settings' repository, their canaries answered, until the block ends.

    Raises:
        BadSetting, BadModel: Triton or a model is not fit to run.
    """
    supervisor = Supervisor(settings.model_copy(update={"triton_url": ""}), models)
    supervisor.start()
    try:
        yield TritonModels(supervisor, settings.triton_bin or "bundled")
    finally:
        supervisor.close()
