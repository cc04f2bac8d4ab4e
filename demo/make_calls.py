"""Synthesizes the demonstration calls: ``python -m demo.make_calls`` rewrites demo/calls from demo/scripts.

8 kHz Ogg Opus, small enough to ship, metadata beside each. Needs the [dev] extra (espeak-ng comes with it);
nothing is downloaded.
"""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from numpy.typing import NDArray

from training.synth import Synthesizer, telephone

HERE = Path(__file__).resolve().parent
RATE_HZ = 8000
SIDES = ("agent", "customer")
GAP_S = 0.45
OPUS_BITS_PER_S_A_CHANNEL = 16_000
"""At 12,000 Opus codes two channels jointly, and each is heard in the other."""
Pcm = NDArray[np.int16]


def _place(script: dict[str, Any]) -> Pcm:
    """[2, n] the spoken turns on their channels, with the script's gaps and overlaps."""
    pieces: list[tuple[int, int, Pcm]] = []
    at_s = 0.6
    with Synthesizer(sample_rate_hz=RATE_HZ) as synthesizer:
        for number, turn in enumerate(script["turns"]):
            role = next(side for side in SIDES if side in turn)
            voice = dict(script["voices"][role])
            level_db = voice.pop("level_db", -18)
            clean, _ = synthesizer.say(turn[role], **voice)
            pcm = _level(telephone(clean, RATE_HZ, seed=number), level_db)
            at_s += turn.get("gap_s", 0.0) - turn.get("overlap_s", 0.0)
            pieces.append((SIDES.index(role), round(at_s * RATE_HZ), pcm))
            at_s += len(pcm) / RATE_HZ + GAP_S
    out = np.zeros((2, max(start + len(pcm) for _, start, pcm in pieces) + RATE_HZ // 2), np.int16)
    for side, start, pcm in pieces:
        out[side, start : start + len(pcm)] += pcm
    return out


def _level(pcm: Pcm, level_db: float) -> Pcm:
    peak = max(1.0, float(np.abs(pcm.astype(np.float32)).max()))
    return (
        np.asarray(pcm * (10 ** (level_db / 20) * 32767 / peak) * 2, np.float32)
        .clip(-32767, 32767)
        .astype(np.int16)
    )


def write_opus(path: Path, pcm: Pcm) -> None:
    """Write [channels, n] int16 as Ogg Opus."""
    layout = "mono" if len(pcm) == 1 else "stereo"
    with av.open(path, "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=RATE_HZ, layout=layout)
        stream.bit_rate = OPUS_BITS_PER_S_A_CHANNEL * len(pcm)
        frame = av.AudioFrame.from_ndarray(pcm.T.reshape(1, -1).copy(), format="s16", layout=layout)
        frame.sample_rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)


def main() -> None:
    """Rewrite every audio call."""
    for path in sorted((HERE / "scripts").glob("*.yaml")):
        script = yaml.safe_load(path.read_text())
        pcm = _place(script)
        if script.get("channels") == 1:
            pcm = pcm.sum(axis=0, dtype=np.int32).clip(-32767, 32767).astype(np.int16)[None]
        write_opus(HERE / "calls" / f"{path.stem}.opus", pcm)
        (HERE / "calls" / f"{path.stem}.meta.json").write_text(
            json.dumps(script["meta"], ensure_ascii=False, indent=1) + "\n"
        )
        print(f"{path.stem}: {pcm.shape[1] / RATE_HZ:.1f} s, {len(pcm)} channels")


if __name__ == "__main__":
    main()
