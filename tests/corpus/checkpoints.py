"""Folders of models and files of weights: damaged, incomplete, foreign and hostile ones, through all that loads them."""

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_numbers import golden, golden_weights
from safetensors.torch import load_file, save_file

from corpus import shared
from corpus.cases import Case, Fault, Ran, command, described, gives, gives_or_refuses, refused
from corpus.checkpoint_settings import BAD_CONFIGS, BAD_PROCESSORS, NO_JSON, UNSURE_CONFIGS, UNSURE_PROCESSORS
from corpus.rendering import cut, flipped, zeroed

WEIGHTS, CONFIG, PROCESSOR = "model.safetensors", "config.json", "processor_config.json"
RAN = "code of a checkpoint ran"
REFERENCE = "xvit/tiny_div8_ta.json"
FAMILY = ["--family", "xvit", "--num-attention-heads", "4", "--temporal-num-attention-heads", "4", "--num-frames", "4"]


class Hostile:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return open, ("ran.txt", "w")


def check_code() -> None:
    if Path("ran.txt").exists():
        raise Fault(RAN)


def classify(folder: Path) -> Ran:
    """`holovid classify` of a good clip; the answer must be JSON of finite scores."""
    try:
        ran = command(["classify", folder, shared.HERE / "clip.mp4", "--json"])
    finally:
        check_code()
    json.loads(ran.out, parse_constant=lambda word: fault(f"prints {word}, which is no JSON"))
    return ran


def fault(words: str) -> None:
    raise Fault(words)


def evaluate(folder: Path) -> Ran:
    place = Path("clips")
    for label in ("left", "right"):
        (place / label).mkdir(parents=True)
        shutil.copy(shared.HERE / "clip.mp4", place / label / "a.mp4")
    try:
        return command(["evaluate", folder, place, "--json"])
    finally:
        check_code()


def export(folder: Path) -> Ran:
    try:
        return command(["export", folder, "exported", "--format", "torch"])
    finally:
        check_code()
        if Path("exported").exists() or list(Path().glob(".exported*")):
            raise Fault("leaves a folder that is not whole")


def push(folder: Path) -> Ran:
    try:
        return command(["push", folder, "user/name", "--licence", "apache-2.0", "--dry-run"])
    finally:
        check_code()


def info(folder: Path) -> Ran:
    return command(["info", folder])


def watch(folder: Path) -> Ran:
    try:
        return command(["watch", folder, shared.HERE / "clip.mp4", "--stride", 1, "--json"])
    finally:
        check_code()


FINE = described(lambda ran: ran.status == 0, "status 0")


def with_weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], Path]:
    """A maker: the model, whose tensors `change` has changed."""

    def make(folder: Path) -> Path:
        model = shared.copy_of("model", folder)
        tensors = load_file(model / WEIGHTS)
        change(tensors)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, model / WEIGHTS, {"format": "pt"})
        return model

    return make


def with_bytes(change: Callable[[bytes], bytes], name: str = WEIGHTS) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        model = shared.copy_of("model", folder)
        (model / name).write_bytes(change((model / name).read_bytes()))
        return model

    return make


def with_json(name: str, **changes: Any) -> Callable[[Path], Path]:
    """A maker: the model, of whose JSON file fields are changed, or taken away where the value is `...`."""

    def make(folder: Path) -> Path:
        model = shared.copy_of("model", folder)
        content = json.loads((model / name).read_text())
        target = content.get("video_processor", content) if name == PROCESSOR else content
        target.update(changes)
        for field in [field for field, value in changes.items() if value is ...]:
            target.pop(field, None)
        (model / name).write_text(json.dumps(content))
        return model

    return make


def with_files(*without: str, **files: Any) -> Callable[[Path], Path]:
    """A maker: the model without some files, and with others instead."""

    def make(folder: Path) -> Path:
        model = shared.copy_of("model", folder)
        for name in without:
            (model / name).unlink()
        for name, content in files.items():
            (model / name).write_bytes(content(model) if callable(content) else content)
        return model

    return make


def fill(tensors: dict[str, torch.Tensor], value: float, names: str = "") -> None:
    for name in tensors:
        if names in name:
            tensors[name].view(-1)[0] = value


def rename(tensors: dict[str, torch.Tensor], change: Callable[[str], str]) -> None:
    for name in list(tensors):
        tensors[change(name)] = tensors.pop(name)


def header(change: Callable[[dict], Any]) -> Callable[[bytes], bytes]:
    """Of a safetensors file: with its JSON changed, or replaced by what `change` returns."""

    def changed(content: bytes) -> bytes:
        length = struct.unpack("<Q", content[:8])[0]
        head = json.loads(content[8 : 8 + length])
        text = change(head)
        text = text if isinstance(text, bytes) else json.dumps(head).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    return changed


def first(head: dict) -> dict:
    return head[next(name for name in head if name != "__metadata__")]


TENSORS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "without the weight of the classifier": lambda tensors: tensors.pop("classifier.weight"),
    "without the bias of the classifier": lambda tensors: tensors.pop("classifier.bias"),
    "without one tensor": lambda tensors: tensors.pop(sorted(tensors)[3]),
    "without half of its tensors": lambda tensors: [tensors.pop(name) for name in sorted(tensors)[::2]],
    "without any of its tensors": lambda tensors: (tensors.clear(), tensors.update(other=torch.zeros(3))),
    "with no tensors": lambda tensors: tensors.clear(),
    "with renamed tensors": lambda tensors: rename(tensors, lambda name: "x." + name),
    "with the tensors of a wrapper": lambda tensors: rename(tensors, lambda name: "module." + name),
    "with tensors in capitals": lambda tensors: rename(tensors, str.upper),
    "with one renamed tensor": lambda tensors: tensors.update({"classifier.weights": tensors.pop("classifier.weight")}),
    "with a tensor too many": lambda tensors: tensors.update({"extra.weight": torch.zeros(3)}),
    "with a misshapen classifier": lambda tensors: tensors.update({"classifier.weight": torch.zeros(7, 36)}),
    "with a narrower classifier": lambda tensors: tensors.update({"classifier.weight": torch.zeros(5, 35)}),
    "with a classifier of no axes": lambda tensors: tensors.update({"classifier.bias": torch.tensor(1.0)}),
    "with an empty classifier": lambda tensors: tensors.update({"classifier.weight": torch.zeros(0, 36)}),
    "with turned tensors": lambda tensors: tensors.update({"classifier.weight": tensors["classifier.weight"].T}),
    "with a NaN": lambda tensors: fill(tensors, float("nan"), "classifier.weight"),
    "with NaN everywhere": lambda tensors: fill(tensors, float("nan")),
    "with an infinity": lambda tensors: fill(tensors, float("inf"), "classifier.bias"),
    "with an infinity within": lambda tensors: fill(tensors, float("inf"), "norm"),
    "with integers": lambda tensors: tensors.update({"classifier.weight": torch.ones(5, 36, dtype=torch.int64)}),
    "with bytes": lambda tensors: tensors.update({"classifier.weight": torch.ones(5, 36, dtype=torch.uint8)}),
    "with booleans": lambda tensors: tensors.update({"classifier.weight": torch.ones(5, 36, dtype=torch.bool)}),
    "with complex numbers": lambda tensors: tensors.update({"classifier.weight": torch.ones(5, 36, dtype=torch.complex64)}),
}  # fmt: skip
UNSURE = {"with integers", "with bytes", "with booleans", "with complex numbers"}
ZEROS = {"with doubles": torch.float64, "with halves": torch.float16, "with bfloat16": torch.bfloat16}

FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "of one byte": lambda content: b"x",
    "of eight zeros": lambda content: bytes(8),
    "of a half": lambda content: cut(content, 0.5),
    "of all but a byte": lambda content: content[:-1],
    "with a byte too many": lambda content: content + b"x",
    "of zeros": lambda content: bytes(len(content)),
    "with a header of zeros": lambda content: zeroed(content, 0, 0.02),
    "with a header that is longer than the file": lambda content: struct.pack("<Q", 10**6) + content[8:],
    "with a header of 2**63 bytes": lambda content: struct.pack("<Q", 2**63) + content[8:],
    "with a header of 99 million bytes": lambda content: struct.pack("<Q", 99_000_000) + content[8:],
    "with a header that is no JSON": header(lambda head: b"{no json}"),
    "with a header that is a list": header(lambda head: b"[]"),
    "with a header of nothing": header(lambda head: b"{}"),
    "with a header that is deep": header(lambda head: b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "with offsets beyond the end": header(lambda head: first(head).update(data_offsets=[0, 10**9])),
    "with negative offsets": header(lambda head: first(head).update(data_offsets=[-4, 4])),
    "with offsets the wrong way round": header(lambda head: first(head).update(data_offsets=[8, 4])),
    "with offsets that overlap": header(lambda head: first(head).update(data_offsets=[0, 8])),
    "with offsets that are texts": header(lambda head: first(head).update(data_offsets=["0", "8"])),
    "with a shape that is too large": header(lambda head: first(head).update(shape=[2**40, 2**40])),
    "with a negative shape": header(lambda head: first(head).update(shape=[-1])),
    "with an unknown type": header(lambda head: first(head).update(dtype="F7")),
    "without a type": header(lambda head: first(head).pop("dtype")),
    "with notes that are numbers": header(lambda head: head.update(__metadata__={"format": 3})),
    "of another framework": header(lambda head: head.update(__metadata__={"format": "tf"})),
    "that is a pointer of Git LFS": lambda content: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "that is a page of HTML": lambda content: b"<!doctype html><html>404</html>",
    "that is a pickle": lambda content: pickle.dumps(Hostile()),
    "that is a zip": lambda content: zipped({"a": b"b"}),
    "with bits turned over in its header": lambda content: flipped(content[:300], 4, 0) + content[300:],
}  # fmt: skip


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def torch_file(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / WEIGHTS) if (model / WEIGHTS).exists() else load_file(shared.HERE / "model" / WEIGHTS)


def index(files: Any, **more: Any) -> bytes:
    return json.dumps({"metadata": {"total_size": 9}, "weight_map": files} | more).encode()


def all_in(name: Any) -> Callable[[Path], bytes]:
    """An index in which all tensors are in a file of this name."""
    return lambda model: index(dict.fromkeys(weights_of(model), name))


BIN, INDEX, BIN_INDEX = "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json"
OTHER_FILES: dict[str, Callable[[Path], Path]] = {
    "without weights": with_files(WEIGHTS),
    "with a pickle of code": with_files(WEIGHTS, **{BIN: torch_file({"classifier.weight": Hostile()})}),
    "with a bare pickle of code": with_files(WEIGHTS, **{BIN: pickle.dumps(Hostile())}),
    "with an old pickle of code": with_files(WEIGHTS, **{BIN: torch_file(Hostile(), _use_new_zipfile_serialization=False)}),
    "with an empty .bin": with_files(WEIGHTS, **{BIN: b""}),
    "with a .bin of noise": with_files(WEIGHTS, **{BIN: bytes(range(256)) * 9}),
    "with a .bin of a list": with_files(WEIGHTS, **{BIN: torch_file([1, 2])}),
    "with a .bin of a tensor": with_files(WEIGHTS, **{BIN: torch_file(torch.zeros(3))}),
    "with a .bin of nothing": with_files(WEIGHTS, **{BIN: torch_file({})}),
    "with a .bin of keys that are numbers": with_files(WEIGHTS, **{BIN: torch_file({1: torch.zeros(3)})}),
    "with a .bin of texts": with_files(WEIGHTS, **{BIN: torch_file({"classifier.weight": "x"})}),
    "with a .bin that is a zip": with_files(WEIGHTS, **{BIN: zipped({"../../ran.txt": b"x"})}),
    "with half a .bin": with_files(WEIGHTS, **{BIN: lambda model: cut(torch_file(weights_of(model)), 0.5)}),
    "with an index without a map": with_files(WEIGHTS, **{INDEX: b"{}"}),
    "with an index that is empty": with_files(WEIGHTS, **{INDEX: b""}),
    "with an index that is no JSON": with_files(WEIGHTS, **{INDEX: b"{x"}),
    "with an index that is a list": with_files(WEIGHTS, **{INDEX: b"[1]"}),
    "with an index whose map is a list": with_files(WEIGHTS, **{INDEX: index(["a"])}),
    "with an index whose map is empty": with_files(WEIGHTS, **{INDEX: index({})}),
    "with an index whose map is null": with_files(WEIGHTS, **{INDEX: index(None)}),
    "with an index of numbers": with_files(WEIGHTS, **{INDEX: all_in(3)}),
    "with an index of files that are not there": with_files(WEIGHTS, **{INDEX: all_in("absent.safetensors")}),
    "with an index of a file outside": with_files(WEIGHTS, **{INDEX: all_in("../outside.safetensors")}),
    "with an index of an absolute path": with_files(WEIGHTS, **{INDEX: all_in("/etc/passwd")}),
    "with an index of a folder": with_files(WEIGHTS, **{INDEX: all_in(".")}),
    "with an index of an empty name": with_files(WEIGHTS, **{INDEX: all_in("")}),
    "with an index of a .bin outside": with_files(WEIGHTS, **{BIN_INDEX: all_in("../outside.bin")}),
    "with an index without notes": with_files(WEIGHTS, **{INDEX: lambda model: json.dumps({"weight_map": {"a": "b"}}).encode()}),
}  # fmt: skip


def outside(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The same, with good weights beside the folder, which an index must not name."""

    def make_beside(folder: Path) -> Path:
        shutil.copy(shared.HERE / "model" / WEIGHTS, folder / "outside.safetensors")
        torch.save(load_file(shared.HERE / "model" / WEIGHTS), folder / "outside.bin")
        return make(folder)

    return make_beside


def weight_cases() -> list[Case]:
    cases = []
    for name, change in TENSORS.items():
        right = gives_or_refuses(lambda ran: ran.status == 0) if name in UNSURE else refused()
        cases.append(Case(f"classify with a model {name}", with_weights(change), classify, right))
    for do in (evaluate, export, push, watch):
        for name in [*list(TENSORS)[:6], "with a misshapen classifier", "with NaN everywhere"]:
            right = gives_or_refuses() if "NaN" in name and do in (evaluate, export, push) else refused()
            cases.append(
                Case(f"{do.__name__} with a model {name}", with_weights(TENSORS[name]), do, right, seconds=60)
            )
    for name, dtype in ZEROS.items():
        change = lambda tensors, dtype=dtype: tensors.update({key: value.to(dtype) for key, value in tensors.items()})  # noqa: E731
        cases.append(Case(f"classify with a model {name}", with_weights(change), classify, gives(FINE)))
    for name, change in FILES.items():
        right = (
            gives_or_refuses(FINE) if name in ("with notes that are numbers", "of another framework") else refused()
        )
        cases.append(Case(f"classify with weights {name}", with_bytes(change), classify, right))
    for do in (evaluate, export, push, watch):
        for name in ("empty", "of a half", "with a header that is no JSON"):
            cases.append(
                Case(f"{do.__name__} with weights {name}", with_bytes(FILES[name]), do, refused(), seconds=60)
            )
    for name, make in OTHER_FILES.items():
        cases.append(Case(f"classify with a folder {name}", outside(make), classify, refused()))
        if "index" in name:
            cases.append(Case(f"push with a folder {name}", outside(make), push, refused(), seconds=60))
    return cases


def json_cases() -> list[Case]:
    cases = []
    for name, content in NO_JSON.items():
        for file in (CONFIG, PROCESSOR):
            make = with_bytes(lambda old, content=content: content, file)
            cases.append(Case(f"a {file} that is {name}", make, classify, refused()))
        cases.append(
            Case(
                f"info with a {CONFIG} that is {name}",
                with_bytes(lambda old, content=content: content, CONFIG),
                info,
                refused(),
            )
        )
    for name, changes in BAD_CONFIGS.items():
        right = gives_or_refuses() if name in UNSURE_CONFIGS else refused()
        cases.append(Case(f"a configuration of {name}", with_json(CONFIG, **changes), classify, right))
        if name not in UNSURE_CONFIGS and "class" not in name:
            cases.append(
                Case(f"info with a configuration of {name}", with_json(CONFIG, **changes), info, gives_or_refuses())
            )
    for name, changes in BAD_PROCESSORS.items():
        right = gives_or_refuses() if name in UNSURE_PROCESSORS else refused()
        cases.append(Case(f"a processor of {name}", with_json(PROCESSOR, **changes), classify, right))
    for name in (CONFIG, PROCESSOR):
        cases.append(Case(f"a folder without {name}", with_files(name), classify, refused()))
    cases.append(Case("a good model", lambda folder: shared.copy_of("model", folder), classify, gives(FINE)))
    cases.append(Case("a model that is not there", lambda folder: folder / "absent", classify, refused("absent")))
    cases.append(Case("an image model", lambda folder: shared.copy_of("image", folder), classify, refused()))
    cases.append(Case("a file in place of a model", shared.clip, classify, refused()))
    return cases


def converted(path: Path) -> Ran:
    try:
        return command(["convert", path, *FAMILY, "--output", "made"])
    finally:
        check_code()


def reference(change: Callable[[dict[str, Any]], Any] = lambda tensors: None) -> Callable[[Path], Path]:
    """A maker: a checkpoint as the reference's authors saved it, changed."""

    def make(folder: Path) -> Path:
        tensors: dict[str, Any] = dict(golden_weights(golden(REFERENCE)))
        content = change(tensors)
        torch.save(tensors if content is None else content, folder / "checkpoint.pyth")
        return folder / "checkpoint.pyth"

    return make


def convert_cases() -> list[Case]:
    changed: dict[str, Callable[[dict[str, Any]], Any]] = {
        "without a tensor": lambda tensors: [tensors.pop(sorted(tensors)[0]), None][1],
        "with a tensor too many": lambda tensors: tensors.update({"x": torch.zeros(3)}),
        "with a tensor of no axes": lambda tensors: tensors.update({sorted(tensors)[0]: torch.tensor(1.0)}),
        "all of whose tensors have no axes": lambda tensors: tensors.update(dict.fromkeys(tensors, torch.tensor(1.0))),
        "all of whose tensors are empty": lambda tensors: tensors.update(dict.fromkeys(tensors, torch.zeros(0))),
        "with NaN": lambda tensors: fill(tensors, float("nan"), sorted(tensors)[5]),
        "with infinities": lambda tensors: fill(tensors, float("inf"), "norm1.weight"),
        "with texts": lambda tensors: tensors.update({sorted(tensors)[0]: "x"}),
        "with arrays of NumPy": lambda tensors: tensors.update({name: value.numpy() for name, value in tensors.items()}),
        "with keys that are numbers": lambda tensors: tensors.update({1: torch.zeros(3)}),
        "with keys that are empty": lambda tensors: tensors.update({"": torch.zeros(3)}),
        "with keys of dots": lambda tensors: tensors.update({"...": torch.zeros(3)}),
        "with keys of layers that are words": lambda tensors: tensors.update({"blocks.x.attn.qkv.weight": torch.zeros(3)}),
        "with a layer of number 10**12": lambda tensors: tensors.update({f"blocks.{10**12}.norm1.weight": torch.zeros(3)}),
        "with complex numbers": lambda tensors: tensors.update({sorted(tensors)[0]: torch.zeros(3, dtype=torch.complex64)}),
        "with integers": lambda tensors: tensors.update({name: value.long() for name, value in tensors.items()}),
        "with sparse tensors": lambda tensors: tensors.update({name: value.to_sparse() for name, value in tensors.items()}),
        "with tensors that are nowhere": lambda tensors: tensors.update({name: value.to("meta") for name, value in tensors.items()}),
        "that is a list": lambda tensors: [*tensors.values()],
        "that is a tensor": lambda tensors: torch.zeros(3),
        "that is nothing": lambda tensors: {},
        "that is None": lambda tensors: {"model_state": None},
        "that is a model": lambda tensors: {"model": torch.nn.Linear(2, 2)},
        "with code": lambda tensors: {"model_state": Hostile()},
        "of half its tensors": lambda tensors: [[tensors.pop(name) for name in sorted(tensors)[::2]], None][1],
        "with misshapen tensors": lambda tensors: tensors.update({name: value.reshape(-1) for name, value in tensors.items()}),
    }  # fmt: skip
    cases = [Case(f"a checkpoint {name}", reference(change), converted, gives_or_refuses(FINE) if "integers" in name else refused()) for name, change in changed.items()]  # fmt: skip
    whole = [("whole", None), ("in a wrapper", "model_state"), ("in another wrapper", "state_dict")]
    for name, wrapper in whole:
        change = lambda tensors, wrapper=wrapper: {wrapper: tensors} if wrapper else None  # noqa: E731
        cases.append(Case(f"a checkpoint {name}", reference(change), converted, gives(FINE)))
    for name, change in {
        "empty": lambda content: b"", "of a half": lambda content: cut(content, 0.5), "of noise": lambda content: bytes(range(256)) * 40,
        "of a bare pickle with code": lambda content: pickle.dumps(Hostile()), "of a zip": lambda content: zipped({"x/data.pkl": b"x"}),
        "of a zip with other paths": lambda content: zipped({"../../ran.txt": b"x", "archive/data.pkl": b"\x80\x02}."}),
        "of text": lambda content: b"weights\n", "with zeros": lambda content: zeroed(content, 0.2, 0.5),
        "of a pickle that never ends": lambda content: b"\x80\x04" + b"(" * 10**6, "of an array": lambda content: array_file(),
    }.items():  # fmt: skip
        for suffix in ("pyth", "safetensors"):

            def make(folder: Path, change=change, suffix=suffix) -> Path:
                path = reference()(folder)
                (folder / f"checkpoint.{suffix}").write_bytes(change(path.read_bytes()))
                return folder / f"checkpoint.{suffix}"

            right = gives_or_refuses() if (name, suffix) == ("with zeros", "pyth") else refused()
            cases.append(Case(f"a checkpoint file {name}, .{suffix}", make, converted, right))
    cases.append(
        Case("a checkpoint that is not there", lambda folder: folder / "absent.pth", converted, refused("absent"))
    )
    cases.append(Case("a checkpoint that is a folder", lambda folder: folder, converted, refused()))
    cases.append(Case("a checkpoint of another suffix", lambda folder: shared.clip(folder), converted, refused()))
    return cases


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


CASES = [*weight_cases(), *json_cases(), *convert_cases()]
