"""The GPU engine on the CPU: features, Conformer, CTC and batches, held against the CPU's own parts."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model_runtime import logmel, reading
from model_runtime.audio import Pcm
from model_runtime.recogniser import prepared
from model_runtime.spec import FrontEnd
from server.importers.filters import slaney_filters, write_arrays
from tests.importers.conftest import library, speech

NOISY = FrontEnd(
    16_000, 512, 160, 512, "centred", 1.0, "add", 2.0**-24, preemphasis=0.97, preemphasis_over="signal",
    normalise="bins_sample",
)  # fmt: skip
TOKENS, BLANK, LOUDER = 40, 39, 20.0


@pytest.fixture(scope="module")
def torch() -> Any:
    torch = library("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the front end's window and filters are."""
    place = tmp_path_factory.mktemp("front")
    write_arrays(place, np.pad(np.hanning(400), 56), slaney_filters(80, 512, 16_000))
    return place


def part(name: str) -> Any:
    """A module of the engine, which needs torch."""
    return importlib.import_module(f"model_runtime.gpu.{name}")


def segments(rate_hz: int) -> list[Pcm]:
    """Speech under noise of the whole band, 0.04 to 6 s."""
    rng = np.random.default_rng(0)
    lengths = [round(seconds * rate_hz) for seconds in (0.04, 0.31, 6.0, 2.2, 1.003, 2.21)]
    return [
        (speech(rate_hz, count / rate_hz)[:count] * 0.5 + rng.normal(0, 300, count)).astype(np.int16)
        for count in lengths
    ]


def network(torch: Any, folder: Path, rate_hz: int, **sizes: Any) -> Any:
    """A random network that says many different things."""
    conformer = part("conformer")
    torch.manual_seed(0)
    small = {"tokens": TOKENS, "layers": 2, "width": 32, "heads": 2, "inner": 64, "channels": 16}
    made = conformer.Conformer(conformer.Shape(**{**small, **sizes}))
    whole = part("network").MelNetwork(part("features").LogMel(NOISY, folder), made, rate_hz).eval()
    with torch.inference_mode():
        mel, frames = features(torch, whole, [speech(rate_hz, 6.0)])
        logits, _ = whole.scores(torch.from_numpy(mel), torch.tensor(frames))
    made.head.weight.data.mul_(LOUDER)
    made.head.bias.data.add_(made.head.bias, alpha=LOUDER - 1).sub_(logits[0].mean(0), alpha=LOUDER)
    return whole


def engine(torch: Any, made: Any, **more: Any) -> Any:
    """On the CPU."""
    return part("engine").Engine(made, (BLANK,), TOKENS, torch.device("cpu"), **more)


def features(torch: Any, made: Any, pcms: list[Pcm]) -> tuple[NDArray[np.float32], list[int]]:
    """Frames of a padded batch, and their counts."""
    counts = torch.tensor([len(pcm) for pcm in pcms])
    width = max(made.frames(len(pcm)) for pcm in pcms) + 11
    flat = torch.from_numpy(np.concatenate(pcms))
    pcm = part("ragged").padded(flat, counts.cumsum(0) - counts, counts, made.room(width))
    mel, frames = made.features(pcm, counts, width)
    assert mel.shape[1] == width
    return mel.numpy(), frames.tolist()


@pytest.mark.parametrize(
    ("change", "rate_hz"),
    [({}, 16_000), ({"normalise": "none"}, 16_000), ({"normalise": "all_sample", "log": "floor"}, 16_000),
     ({"power": 1.0, "normalise": "bins_population", "full_scale": 32768.0}, 16_000),
     ({"preemphasis": 0.0, "normalise": "none"}, 8_000), ({"normalise": "all_sample"}, 44_100)],
)  # fmt: skip
def test_features_are_those_of_the_cpu(
    torch: Any, folder: Path, change: dict[str, Any], rate_hz: int
) -> None:
    spec = FrontEnd(**{**NOISY.__dict__, **change})
    made = network(torch, folder, rate_hz)
    made.front = part("features").LogMel(spec, folder)
    cpu = logmel.LogMel(spec, folder)
    mel, counts = features(torch, made, segments(rate_hz))
    for row, count, pcm in zip(mel, counts, segments(rate_hz), strict=True):
        own = cpu(prepared(pcm, rate_hz, 16_000))
        assert len(own) == count and np.abs(row[:count] - own).max() < 1e-3
        assert not row[count:].any()


def test_upsampled_bands_without_sound_stay_close(torch: Any, folder: Path) -> None:
    """Above 4 kHz a call resampled to 16 kHz is empty: normalising blows rounding up there, fp32 shows it."""
    made, cpu = network(torch, folder, 8_000), logmel.LogMel(NOISY, folder)
    mel, counts = features(torch, made, segments(8_000))
    for row, count, pcm in zip(mel, counts, segments(8_000), strict=True):
        off = np.abs(row[:count] - cpu(prepared(pcm, 8_000, 16_000)))
        assert off[:, :60].max() < 1e-3 and off.max() < 0.05


def test_a_front_end_of_another_toolkit_is_refused(torch: Any, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"framing, log[\s\S]*help:"):
        part("features").LogMel(
            FrontEnd(**{**NOISY.__dict__, "framing": "mirrored", "log": "whisper"}), folder
        )


@pytest.mark.parametrize("positions", ["relative", "none"])
def test_an_answer_does_not_depend_on_its_batch(torch: Any, folder: Path, positions: str) -> None:
    made = engine(torch, network(torch, folder, 16_000, positions=positions))
    pcms = segments(16_000) * 2
    together = made.hear(pcms)
    in_order = made.run(pcms, made.plan.in_order(made.frames(pcms)))
    for pcm, one, other in zip(pcms, together, in_order, strict=True):
        alone = made.hear([pcm])[0]
        for row in (one, other):
            assert row.ids.tolist() == alone.ids.tolist() and row.first.tolist() == alone.first.tolist()
            assert np.abs(row.confidence - alone.confidence).max(initial=0) < 1e-4
    assert max(len(row.ids) for row in together) > 10, "the control: the network says something"


def test_without_masks_companions_would_be_heard(
    torch: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    made = network(torch, folder, 16_000)
    pcms = segments(16_000)
    alone = engine(torch, made).hear([pcms[1]])[0]
    everything = lambda counts, width: torch.ones(len(counts), width, dtype=torch.bool)  # noqa: E731
    monkeypatch.setattr(part("conformer"), "valid", everything)
    row = engine(torch, made).run(pcms, part("batches").Plan().in_order([made.frames(len(p)) for p in pcms]))[
        1
    ]
    assert row.ids.tolist() != alone.ids.tolist() or np.abs(row.confidence - alone.confidence).max() > 1e-3


def test_bf16_changes_scores_within_the_stated_tolerance(torch: Any, folder: Path) -> None:
    """docs/gpu.md: probabilities of a batch and of each alone differ by less than 0.05 in bf16."""
    made = network(torch, folder, 16_000)
    for tensor in made.conformer.head.parameters():
        tensor.data.div_(LOUDER)
    made.conformer.to(torch.bfloat16)
    pcms = segments(16_000)
    mel, counts = features(torch, made, pcms)
    with torch.inference_mode():
        together, steps = made.scores(torch.from_numpy(mel), torch.tensor(counts))
        for row, count in enumerate(counts):
            alone, _ = made.scores(torch.from_numpy(mel[row : row + 1, :count]), torch.tensor([count]))
            one, other = (x.float().softmax(-1) for x in (alone[0], together[row, : int(steps[row])]))
            assert float((one - other).abs().max()) < 0.05


def test_ctc_on_the_device_reads_as_the_cpu_does(torch: Any) -> None:
    ctc, rng = part("ctc"), np.random.default_rng(2)
    best = rng.choice([3, 3, 7, BLANK, BLANK, 5], (6, 50))
    scores = rng.normal(size=(6, 50, TOKENS)).astype(np.float32)
    np.put_along_axis(scores, best[..., None], 6.0, -1)
    steps = [50, 0, 1, 17, 49, 33]
    silent = torch.arange(TOKENS) == BLANK
    packed = ctc.collapse(torch.from_numpy(scores), torch.tensor(steps), silent)
    texts = [chr(0x4E00 + token) for token in range(TOKENS)]
    for row, count, heard in zip(scores, steps, ctc.unpack(packed.numpy(), 6, 6), strict=True):
        ours = ctc.tokens(heard, 80.0, texts)
        theirs = reading.ctc(row[:count], 80.0, (BLANK,), texts)
        assert [token[:3] for token in ours] == [token[:3] for token in theirs]
        assert np.allclose(
            [token.confidence for token in ours], [token.confidence for token in theirs], atol=1e-5
        )
    assert sum(map(len, ctc.unpack(packed.numpy(), 6, 6))) > 0


def test_the_whole_step_is_one_traceable_graph(torch: Any, folder: Path) -> None:
    """What compilation and CUDA graphs need: no data-dependent shape, no look at a value on the way."""
    made = engine(torch, network(torch, folder, 8_000, layers=1))
    step = torch.compile(made.step, backend="eager", fullgraph=True, dynamic=False)
    counts, width = torch.tensor([8_000, 8_000]), 104
    flat = torch.from_numpy(np.resize(speech(8_000, 2.0), 2 * made.network.room(width)))
    with torch.inference_mode():
        arguments = flat, counts.cumsum(0) - counts, counts, width
        assert torch.equal(step(*arguments), made.step(*arguments))


class Recorded:
    """Stands for a CUDA graph: what was captured runs again on the same tensors."""

    def replay(self) -> None:
        """Into the captured result's place, as a graph does."""
        self.result.copy_(self.step(*self.inputs))

    def bind(self, step: Any, inputs: tuple[Any, ...], result: Any) -> None:
        """What a capture knows."""
        self.step, self.inputs, self.result = step, inputs, result


def test_graphs_copy_in_and_keep_shapes_apart(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CUDA: the bookkeeping around capture and replay, not the graphs themselves."""
    graphs, captured = part("graphs"), list[Recorded]()
    monkeypatch.setattr(graphs.torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(graphs.torch.cuda, "CUDAGraph", lambda: captured.append(Recorded()) or captured[-1])
    capturing: list[Recorded] = []

    @contextmanager
    def capture(graph: Recorded, pool: None) -> Iterator[None]:
        capturing.append(graph)
        yield
        capturing.pop()

    monkeypatch.setattr(graphs.torch.cuda, "graph", capture)

    def step(flat: Any, starts: Any, counts: Any, width: int) -> Any:
        result = flat.sum() + starts + 10 * counts + 100 * width
        if capturing:
            capturing[-1].bind(step, (flat, starts, counts, width), result)
        return result

    run = graphs.Graphs(step)
    for number in range(9):
        for rows, width in ((2, 8), (3, 16), (2, 16)):
            flat = torch.arange(rows * width) + number
            starts, counts = torch.arange(rows) + number, torch.full((rows,), number)
            assert torch.equal(run(flat, starts, counts, width), step(flat, starts, counts, width))
    assert 3 <= len(captured) <= 5, "once a shape, and again where the common buffer had to grow"


def test_a_missing_gpu_is_a_typed_error(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    device = part("device")
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    with pytest.raises(device.NoGpu, match=r"GPU 1, but torch [\s\S]*help: run nvidia-smi"):
        device.choose("GPU", 1)
    assert device.choose("CPU", 0) == torch.device("cpu")
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(device.NoGpu, match="there are 1"):
        device.choose("GPU", 1)
    monkeypatch.setattr(device.torch.cuda, "set_device", lambda number: None)
    assert device.choose("GPU", 0) == torch.device("cuda", 0)
