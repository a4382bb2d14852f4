"""Frames, waveforms and what models are given: types, ranges, shapes, layouts, numbers that are none."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from corpus import shared
from corpus.cases import Case, Fault, gives, gives_or_refuses, refused
from corpus.rendering import wav
from holovid import (
    CA2STForVideoClassification,
    HolovidFeatureExtractor,
    HolovidProcessor,
    HolovidVideoProcessor,
    XViTForVideoClassification,
)

T, HEIGHT, WIDTH = 8, 24, 24
FITTING = {"num_frames": T, "size": {"shortest_edge": HEIGHT}, "crop_size": {"height": HEIGHT, "width": WIDTH}}
NAN, INF = float("nan"), float("inf")


def frames(seed: int = 0) -> np.ndarray:
    """uint8 (T, H, W, C), all values."""
    return np.random.default_rng(seed).integers(0, 256, (T, HEIGHT, WIDTH, 3), dtype=np.uint8)


def pixels(video: Any, **options: Any) -> np.ndarray:
    """What a model is given of it; must be finite."""
    values = HolovidVideoProcessor(**FITTING)(video, return_tensors="pt", **options)["pixel_values_videos"]
    if not values.isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    return values.detach().numpy()


RIGHT = (frames().transpose(0, 3, 1, 2)[None].astype(np.float32) / 255 - 0.5) / 0.5


def as_bytes(answer: np.ndarray) -> bool:
    """The same as of the frames in 8 bits."""
    return answer.shape == RIGHT.shape and bool(np.allclose(answer, RIGHT, atol=1e-3))


def with_value(value: float) -> np.ndarray:
    video = frames().astype(np.float32)
    video[3, 5, 7, 1] = value
    return video


# name -> frames, and whether they are taken, refused, or either
KINDS: dict[str, tuple[Any, str]] = {
    "uint8": (frames, "taken"),
    "uint8 in a tensor": (lambda: torch.from_numpy(frames()), "taken"),
    "int8 of positive numbers": (lambda: (frames() // 2).astype(np.int8), "either"),
    "int8 of negative numbers": (lambda: frames().astype(np.int8), "refused"),
    "int16": (lambda: frames().astype(np.int16), "right or refused"),
    "int32": (lambda: frames().astype(np.int32), "right or refused"),
    "int64": (lambda: frames().astype(np.int64), "right or refused"),
    "int64 in a tensor": (lambda: torch.from_numpy(frames()).long(), "right or refused"),
    "uint16 of 16 bits": (lambda: frames().astype(np.uint16) * 257, "refused"),
    "uint16 of 10 bits": (lambda: frames().astype(np.uint16) * 4, "refused"),
    "uint32": (lambda: frames().astype(np.uint32) * 2**24, "refused"),
    "uint64": (lambda: frames().astype(np.uint64), "right or refused"),
    "int64 beyond 255": (lambda: frames().astype(np.int64) + 1, "refused"),
    "int64 below 0": (lambda: frames().astype(np.int64) - 1, "refused"),
    "booleans": (lambda: frames() > 127, "refused"),
    "booleans in a tensor": (lambda: torch.from_numpy(frames() > 127), "refused"),
    "complex numbers": (lambda: frames().astype(np.complex64), "refused"),
    "complex numbers in a tensor": (lambda: torch.from_numpy(frames().astype(np.complex64)), "refused"),
    "objects": (lambda: frames().astype(object), "refused"),
    "texts": (lambda: frames().astype(str), "refused"),
    "dates": (lambda: frames().astype("datetime64[s]"), "refused"),
    "floats of 16 bits": (lambda: frames().astype(np.float16), "taken"),
    "floats of 32 bits": (lambda: frames().astype(np.float32), "taken"),
    "floats of 64 bits": (lambda: frames().astype(np.float64), "taken"),
    "bfloat16 in a tensor": (lambda: torch.from_numpy(frames()).bfloat16(), "right or refused"),
    "floats from 0 to 1": (lambda: frames().astype(np.float32) / 255, "refused"),
    "floats from 0 to 1 in a tensor": (lambda: torch.from_numpy(frames()).float() / 255, "refused"),
    "floats from 0 to 1 of 16 bits": (lambda: (frames() / 255).astype(np.float16), "refused"),
    "floats from 0 to 1 of 64 bits": (lambda: frames() / 255, "refused"),
    "floats from 0 to a half": (lambda: frames() / 510, "refused"),
    "floats from -1 to 1": (lambda: frames().astype(np.float32) / 127.5 - 1, "refused"),
    "floats that are normalised": (lambda: (frames() / 255 - 0.45) / 0.225, "refused"),
    "floats beyond 255": (lambda: frames().astype(np.float32) * 257, "refused"),
    "floats just below 0": (lambda: with_value(-0.5), "refused"),
    "one NaN": (lambda: with_value(NAN), "refused"),
    "one infinity": (lambda: with_value(INF), "refused"),
    "one infinity below": (lambda: with_value(-INF), "refused"),
    "nothing but NaN": (lambda: np.full((T, HEIGHT, WIDTH, 3), NAN), "refused"),
    "black floats": (lambda: np.zeros((T, HEIGHT, WIDTH, 3), np.float32), "either"),
    "white floats of 1": (lambda: np.ones((T, HEIGHT, WIDTH, 3), np.float32), "either"),
    "a view with steps": (lambda: np.repeat(frames(), 2, 1)[:, ::2], "taken"),
    "reversed twice": (lambda: frames()[::-1].copy()[::-1], "taken"),
    "read-only": (lambda: np.frombuffer(frames().tobytes(), np.uint8).reshape(T, HEIGHT, WIDTH, 3), "taken"),
    "of the other byte order": (lambda: frames().astype(">f4"), "right or refused"),
    "in Fortran's order": (lambda: np.asfortranarray(frames()), "taken"),
    "a masked array": (lambda: np.ma.masked_array(frames()), "right or refused"),
    "channels first": (lambda: frames().transpose(0, 3, 1, 2), "taken"),
    "channels first in a tensor": (lambda: torch.from_numpy(frames()).permute(0, 3, 1, 2), "taken"),
    "a list of arrays": (lambda: list(frames()), "taken"),
    "a tuple of arrays": (lambda: tuple(frames()), "taken"),
    "a list of tensors": (lambda: list(torch.from_numpy(frames())), "taken"),
    "a list of pictures": (lambda: [Image.fromarray(frame) for frame in frames()], "taken"),
    "a list of floats from 0 to 1": (lambda: list(frames().astype(np.float32) / 255), "refused"),
    "a list of lists": (lambda: frames().tolist(), "right or refused"),
    "a mixed list of arrays and pictures": (lambda: [Image.fromarray(frames()[0]), *frames()[1:]], "taken"),
    "a list of two sizes": (lambda: [*frames()[:4], *frames()[4:, :20]], "refused"),
    "a list with None": (lambda: [*frames()[:4], None], "refused"),
    "a list with a number": (lambda: [*frames()[:4], 3], "refused"),
    "a list with a text": (lambda: [*frames()[:4], "x"], "refused"),
    "a list of types that differ": (lambda: [frames()[0], *frames()[1:].astype(np.float32)], "right or refused"),
    "an empty list": (list, "refused"),
    "an empty array": (lambda: np.zeros((0, HEIGHT, WIDTH, 3), np.uint8), "refused"),
    "an empty tensor": (lambda: torch.zeros(0), "refused"),
    "frames without height": (lambda: np.zeros((T, 0, WIDTH, 3), np.uint8), "refused"),
    "frames without channels": (lambda: np.zeros((T, HEIGHT, WIDTH, 0), np.uint8), "refused"),
    "a batch of none": (lambda: np.zeros((0, T, HEIGHT, WIDTH, 3), np.uint8), "refused"),
    "two channels": (lambda: frames()[..., :2], "refused"),
    "five channels": (lambda: np.concatenate([frames(), frames()[..., :2]], -1), "refused"),
    "two axes": (lambda: frames()[0, :, :, 0], "refused"),
    "one axis": (lambda: frames().reshape(-1), "refused"),
    "six axes": (lambda: frames()[None, None], "refused"),
    "no axis": (lambda: np.uint8(3), "refused"),
    "None": (lambda: None, "refused"),
    "a number": (lambda: 3, "refused"),
    "a set": (lambda: {1, 2}, "refused"),
    "a function": (lambda: frames, "refused"),
    "a tensor that is nowhere": (lambda: torch.zeros(T, 3, HEIGHT, WIDTH, device="meta"), "refused"),
    "a sparse tensor": (lambda: torch.from_numpy(frames()).to_sparse(), "refused"),
    "a quantised tensor": (lambda: torch.quantize_per_tensor(torch.rand(T, 3, HEIGHT, WIDTH), 0.1, 0, torch.quint8), "refused"),
    "a tensor that learns": (lambda: torch.from_numpy(frames()).float().requires_grad_(), "right or refused"),
}  # fmt: skip
EXPECTED = {
    "taken": gives(as_bytes),
    "refused": refused(),
    "right or refused": gives_or_refuses(as_bytes),
    "either": gives_or_refuses(),
}


def frame_cases() -> list[Case]:
    cases = [
        Case(f"frames, {name}", lambda folder, make=make: make(), pixels, EXPECTED[right])
        for name, (make, right) in KINDS.items()
    ]
    scaled = lambda video: pixels(video, do_rescale=False)  # noqa: E731
    floats = lambda folder: frames().astype(np.float32) / 255  # noqa: E731
    cases.append(Case("frames from 0 to 1 that are not rescaled", floats, scaled, gives(as_bytes)))
    cases.append(Case("frames from 0 to 1 say the cure", floats, pixels, refused("do_rescale=False")))
    raw = lambda video: pixels(video, do_rescale=False, do_normalize=False)  # noqa: E731
    done = lambda folder: RIGHT[0]  # noqa: E731
    cases.append(Case("normalised frames that are left alone", done, raw, gives(as_bytes)))
    for shape, last in (
        ((T, 3, 3, 3), None),
        ((T, 3, 4, 3), None),
        ((T, 1, 3, 3), "channels_last"),
        ((T, 3, 3, 4), None),
    ):
        video = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        options = {} if last is None else {"input_data_format": last}
        right = gives_or_refuses(lambda answer: answer.shape == RIGHT.shape)
        cases.append(
            Case(
                f"frames of shape {shape}",
                lambda folder, video=video: video,
                lambda video, options=options: pixels(video, **options),
                right,
            )
        )
    for name, value in (
        ("x", "x"),
        ("a number", 3),
        ("CHANNELS_LAST", "CHANNELS_LAST"),
        ("an empty text", ""),
        ("first", "first"),
    ):
        do = lambda video, value=value: pixels(video, input_data_format=value)  # noqa: E731
        cases.append(
            Case(
                f"a layout of frames called {name}",
                lambda folder: frames(),
                do,
                gives_or_refuses(as_bytes) if value == "" else refused(),
            )
        )
    wrong = lambda video: pixels(video, input_data_format="channels_first")  # noqa: E731
    cases.append(Case("a layout of frames that is not theirs", lambda folder: frames(), wrong, refused()))
    for mode in ("L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"):
        make = lambda folder, mode=mode: [Image.new(mode, (WIDTH, HEIGHT)) for _ in range(T)]  # noqa: E731
        right = gives_or_refuses(lambda answer: answer.shape == RIGHT.shape)
        cases.append(Case(f"pictures of mode {mode}", make, pixels, right))
    grey = lambda folder: frames()[..., :1]  # noqa: E731
    cases.append(Case("frames of one channel", grey, pixels, gives(lambda answer: answer.shape == RIGHT.shape)))
    return cases


def hear(heard: Any) -> tuple[bool, float]:
    """Whether anything is heard, and the mean of what a model would be given."""
    waveform, options = heard
    values = HolovidFeatureExtractor(audio_frames=98, num_mel_bins=24)(waveform, return_tensors="pt", **options)
    if not values["input_values"].isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    if len(values["audio_mask"]) != 1:
        raise Fault(f"makes {len(values['audio_mask'])} clips of one")
    return bool(values["audio_mask"][0]), round(float(values["input_values"].mean()), 2)


def tone(rate: int = 16_000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)


def sounding(heard: tuple[bool, float]) -> bool:
    return heard[0]


def waveform_cases() -> list[Case]:
    rate = {"sampling_rate": 16_000}
    changed = {
        "with one NaN": lambda: np.r_[tone(), np.float32(NAN)],
        "with one infinity": lambda: np.r_[tone(), np.float32(INF)],
        "of nothing but NaN": lambda: np.full(16_000, NAN),
        "of complex numbers": lambda: tone().astype(np.complex64),
        "of texts": lambda: tone().astype(str),
        "of objects": lambda: tone().astype(object),
        "of booleans": lambda: tone() > 0,
        "of no axis": lambda: np.float32(0.5),
        "of four axes": lambda: tone()[None, None, None],
        "as samples by channels": lambda: np.repeat(tone()[:, None], 2, 1),
        "as samples by one channel": lambda: tone()[:, None],
        "as samples by 6 channels": lambda: np.repeat(tone()[:, None], 6, 1),
        "as a tensor of samples by channels": lambda: torch.from_numpy(tone())[:, None].expand(-1, 2),
        "as a number": lambda: 3,
        "as a text": lambda: "abc",
        "as a dict of nothing": dict,
        "as a dict without samples": lambda: {"sampling_rate": 16_000},
        "as a dict whose rate is None": lambda: {"array": tone(), "sampling_rate": None},
        "as a dict of None": lambda: {"array": None, "sampling_rate": 16_000},
        "that is nowhere": lambda: torch.zeros(16_000, device="meta"),
        "of integers of 64 bits that are too large": lambda: (tone() * 2**62).astype(np.int64),
        "beyond all loudness": lambda: tone() * 1e30,
    }
    unsure = {"of integers of 64 bits that are too large", "beyond all loudness", "of booleans", "of objects"}
    fine = {
        "of floats": tone,
        "of floats of 64 bits": lambda: tone().astype(np.float64),
        "of floats of 16 bits": lambda: tone().astype(np.float16),
        "of integers of 16 bits": lambda: (tone() * 32767).astype(np.int16),
        "of integers of 32 bits": lambda: (tone() * (2**31 - 1)).astype(np.int32),
        "of bytes": lambda: (tone() * 127 + 128).astype(np.uint8),
        "as a tensor": lambda: torch.from_numpy(tone()),
        "as a list": lambda: tone().tolist(),
        "as a dict": lambda: {"array": tone(), "sampling_rate": 16_000},
        "as a dict without a rate": lambda: {"array": tone()},
        "of channels by samples in a list": lambda: [np.repeat(tone()[None], 2, 0)],
        "that is a view with steps": lambda: np.repeat(tone(), 2)[::2],
        "of the other byte order": lambda: tone().astype(">f4"),
        "as a file": wav,
    }
    cases = []
    for name, make in changed.items():
        right = gives_or_refuses() if name in unsure else refused()
        cases.append(Case(f"a waveform {name}", lambda folder, make=make: (make(), rate), hear, right))
    for name, make in fine.items():
        cases.append(Case(f"a waveform {name}", lambda folder, make=make: (make(), rate), hear, gives(sounding)))
    for name, make in {
        "empty": lambda: np.zeros(0),
        "zeros": lambda: np.zeros(16_000),
        "None": lambda: [None],
    }.items():
        cases.append(
            Case(f"silence, {name}", lambda folder, make=make: (make(), rate), hear, gives(lambda heard: not heard[0]))
        )
    for value in (
        "44100",
        0,
        -1,
        10**9,
        44_100.5,
        NAN,
        INF,
        [16_000],
        None,
        True,
        2**70,
        1e-9,
        {"rate": 1},
        b"16000",
        1j,
    ):
        make = lambda folder, value=value: (tone(), {"sampling_rate": value})  # noqa: E731
        cases.append(Case(f"a waveform at {value!r} Hz", make, hear, refused(), memory=200))
        make = lambda folder, value=value: ({"array": tone(), "sampling_rate": value}, {})  # noqa: E731
        cases.append(Case(f"a dict of a waveform at {value!r} Hz", make, hear, refused(), memory=200))
    for value in (8000, 44_100.0, np.int64(22_050), np.float32(48_000), 96_000, 192_000, torch.tensor(16_000)):
        make = lambda folder, value=value: (tone(int(value)), {"sampling_rate": value})  # noqa: E731
        right = gives_or_refuses(sounding) if isinstance(value, torch.Tensor) else gives(sounding)
        cases.append(Case(f"a waveform at {value!r} Hz", make, hear, right))
    for value in (-0.1, 1.1, NAN, "0.5", [0.5], INF):
        make = lambda folder, value=value: (tone(), rate | {"center": value})  # noqa: E731
        cases.append(Case(f"a waveform cut at {value!r}", make, hear, refused()))
    return cases


def logits(given: Any) -> tuple[int, ...]:
    """The shape of a model's answer; `given` is what it is called with: arguments, and options by name."""
    arguments, options = given
    hears = any(name in options for name in ("input_values", "audio_mask", "audio_span"))
    model_class = CA2STForVideoClassification if hears else XViTForVideoClassification
    model = model_class.from_pretrained(shared.HERE / ("hearing" if hears else "model")).eval()
    with torch.no_grad():
        answer = model(*arguments, **options).logits
    if not answer.isfinite().all():
        raise Fault("answers with numbers that are not finite")
    return tuple(answer.shape)


def batch(**changes: Any) -> dict[str, Any]:
    """What a processor gives a model that sees, and what is changed about it."""
    return {"pixel_values_videos": torch.randn(2, 6, 3, 16, 16)} | changes


def sounding_batch(**changes: Any) -> dict[str, Any]:
    processor = HolovidProcessor.from_pretrained(shared.HERE / "hearing")
    made = dict(processor([str(shared.HERE / "sounding.mp4")] * 2, return_tensors="pt"))
    return made | {name: change(made[name]) for name, change in changes.items()}


def model_cases() -> list[Case]:
    seen = "pixel_values_videos"
    wrong = {
        "a batch without **": lambda: ((batch(),), {}),
        "nothing": lambda: ((), {}),
        "None": lambda: ((None,), {}),
        "a path": lambda: (("clip.mp4",), {}),
        "a list": lambda: (([[1.0]],), {}),
        "a NumPy array": lambda: ((batch()[seen].numpy(),), {}),
        "a list of tensors": lambda: (([*batch()[seen]],), {}),
        "pixels of 8 bits": lambda: ((), batch(**{seen: torch.zeros(1, 6, 3, 16, 16, dtype=torch.uint8)})),
        "pixels of 64 bits": lambda: ((), batch(**{seen: torch.zeros(1, 6, 3, 16, 16, dtype=torch.int64)})),
        "pixels that are booleans": lambda: ((), batch(**{seen: torch.zeros(1, 6, 3, 16, 16, dtype=torch.bool)})),
        "complex pixels": lambda: ((), batch(**{seen: torch.zeros(1, 6, 3, 16, 16, dtype=torch.complex64)})),
        "one clip without a batch": lambda: ((), batch(**{seen: torch.randn(6, 3, 16, 16)})),
        "views": lambda: ((), batch(**{seen: torch.randn(1, 2, 6, 3, 16, 16)})),
        "two axes": lambda: ((), batch(**{seen: torch.randn(6, 3)})),
        "channels last": lambda: ((), batch(**{seen: torch.randn(1, 6, 16, 16, 3)})),
        "frames first": lambda: ((), batch(**{seen: torch.randn(1, 3, 6, 16, 16)})),
        "another size": lambda: ((), batch(**{seen: torch.randn(1, 6, 3, 24, 24)})),
        "one channel": lambda: ((), batch(**{seen: torch.randn(1, 6, 1, 16, 16)})),
        "no frames": lambda: ((), batch(**{seen: torch.randn(1, 0, 3, 16, 16)})),
        "a picture of no size": lambda: ((), batch(**{seen: torch.randn(1, 6, 3, 0, 0)})),
        "labels out of range": lambda: ((), batch(labels=torch.tensor([0, 5]))),
        "negative labels": lambda: ((), batch(labels=torch.tensor([0, -1]))),
        "labels far out of range": lambda: ((), batch(labels=torch.tensor([0, 10**9]))),
        "labels of another number": lambda: ((), batch(labels=torch.tensor([0, 1, 2]))),
        "labels as a list": lambda: ((), batch(labels=[0, 1])),
        "labels as texts": lambda: ((), batch(labels=["left", "right"])),
    }
    unsure = {"labels as a list", "labels of another number", "a list of tensors"}
    cases = []
    for name, make in wrong.items():
        right = gives_or_refuses() if name in unsure else refused()
        cases.append(Case(f"a model is given {name}", lambda folder, make=make: make(), logits, right))
    fine = {
        "a batch": batch,
        "labels": lambda: batch(labels=torch.tensor([0, 4])),
        "a label that does not count": lambda: batch(labels=torch.tensor([0, -100])),
        "pixels of 64 bits of float": lambda: batch(**{seen: torch.randn(2, 6, 3, 16, 16).double()}),
        "pixels of 16 bits of float": lambda: batch(**{seen: torch.randn(2, 6, 3, 16, 16).half()}),
    }
    for name, make in fine.items():
        right = gives((2, 5)) if "bits" not in name else gives_or_refuses(lambda shape: shape == (2, 5))
        cases.append(Case(f"a model is given {name}", lambda folder, make=make: ((), make()), logits, right))
    sound = {
        "sound": ({}, gives((2, 5))),
        "a mask of zeros and ones": ({"audio_mask": lambda mask: mask.long()}, gives((2, 5))),
        "a mask of floats": ({"audio_mask": lambda mask: mask.float()}, gives_or_refuses(lambda shape: shape == (2, 5))),
        "a mask of another shape": ({"audio_mask": lambda mask: mask[:1]}, refused()),
        "a mask of two axes": ({"audio_mask": lambda mask: mask[:, None].expand(-1, 3)}, refused()),
        "no mask": ({"audio_mask": lambda mask: None}, gives_or_refuses(lambda shape: shape == (2, 5))),
        "times of fewer frames": ({"frame_times": lambda times: times[:, :-1]}, refused()),
        "times of other clips": ({"frame_times": lambda times: times[:1]}, refused()),
        "a span of one second": ({"audio_span": lambda span: span[:, :1]}, refused()),
        "spectrograms of other rows": ({"input_values": lambda values: values[:, :-1]}, refused()),
        "spectrograms of other bins": ({"input_values": lambda values: values[..., :-1]}, refused()),
        "spectrograms of other clips": ({"input_values": lambda values: values[:1]}, refused()),
        "no spectrograms": ({"input_values": lambda values: None}, refused()),
    }  # fmt: skip
    for name, (changes, right) in sound.items():
        make = lambda folder, changes=changes: ((), sounding_batch(**changes))  # noqa: E731
        cases.append(Case(f"a model that hears is given {name}", make, logits, right))
    return cases


CASES = [*frame_cases(), *waveform_cases(), *model_cases()]
