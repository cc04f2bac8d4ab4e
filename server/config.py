"""Every setting once: name, default, meaning. The environment says ``EARSHOT_`` + the name in capitals."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.errors import BadSetting

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """All settings. Unknown keyword arguments are errors; the README's table is generated from this class."""

    model_config = SettingsConfigDict(env_prefix="EARSHOT_", extra="forbid", frozen=True)

    # serving
    listen: str = Field("127.0.0.1:8471", description="Address of the gRPC door; `unix:PATH` works too.")
    tls_certificate: Path | None = Field(None, description="PEM certificate chain of the gRPC door.")
    tls_key: Path | None = Field(None, description="PEM private key of the gRPC door.")
    tls_client_ca: Path | None = Field(
        None, description="PEM of the CA that client certificates must come from."
    )
    allow_plaintext: bool = Field(False, description="Serve without TLS beyond this machine.")
    max_message_bytes: int = Field(64 << 20, description="Largest gRPC message in or out.", ge=1 << 16)
    max_concurrent_calls: int = Field(64, description="Inspections in hand at once; more are refused.", ge=1)
    deadline_s: float = Field(600.0, description="Deadline of an inspection whose caller sets none.", gt=0)
    stop_grace_s: float = Field(25.0, description="How long a stop waits for inspections in hand.", gt=0)

    # the call
    pack: str = Field("collections_zh", description="Rule pack: a built-in name or a folder.")
    agent_channel: int = Field(0, description="Channel the agent speaks on (0 = left).", ge=0, le=1)
    max_audio_s: float = Field(4 * 3600.0, description="Longest recording taken.", gt=0)
    max_audio_bytes: int = Field(1 << 30, description="Largest media file taken.", ge=1)

    # decoding
    decode_workers: int = Field(2, description="Decoder child processes.", ge=1)
    decode_memory_bytes: int = Field(1 << 30, description="Address space of one decoder child.", ge=1 << 28)
    decode_wall_s: float = Field(60.0, description="Wall time one file may take to decode.", gt=0)

    # models
    model_repository: Path = Field(ROOT / "model_repository", description="Triton's model folder.")
    triton_url: str = Field(
        "", description="A running Triton (`host:port` or `unix:PATH`) instead of our own."
    )
    triton_bin: str = Field("", description="A tritonserver binary instead of the bundled one.")
    model_timeout_s: float = Field(30.0, description="Longest a single model request may take.", gt=0)
    models_in_flight: int = Field(32, description="Model requests in flight at once per model.", ge=1)
    context_words: Path | None = Field(
        None, description="File of names and products to expect, one a line (tab and a weight 0–5 if not 1)."
    )
    canary_every_s: float = Field(
        1.0, description="Seconds between known-answer requests to each model.", gt=0
    )


def load(**overrides: object) -> Settings:
    """Settings from the environment and ``overrides``.

    Raises:
        BadSetting: a value has the wrong type or range, or a name is unknown.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()
        )
        raise BadSetting(f"bad settings: {lines}", help="see the table of settings in README.md") from None
