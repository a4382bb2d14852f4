"""How far our logits are from those that the released code computed.   python examples/benchmark/parity.py

Tiny models with random weights, of every kind that the released code knows: tests/golden has its logits. Tensors are
renamed and copied, so what is left is the rounding of float32 in another order of the same sums. Where weights are
drawn large ("sharp"), logits are, and attention is far from uniform.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import logging

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))  # where the fixtures and how to read them are

import test_convert as xvit  # noqa: E402
import test_convert_ca2st as ca2st  # noqa: E402
from golden_numbers import golden, golden_input, golden_weights  # noqa: E402

from holovid.convert import from_reference  # noqa: E402


@torch.no_grad()
def differences() -> Iterator[tuple[str, str, float, float]]:
    """(family, name of the model, largest difference of a logit, largest logit)."""
    for name in xvit.CASES:
        case = golden(f"xvit/{name}.json")
        model = from_reference(golden_weights(case), "xvit", **xvit.settings(case))
        logits = model(golden_input(case).transpose(1, 2)).logits
        reference = torch.tensor(case["logits"])
        yield "XViT", name, (logits - reference).abs().max().item(), reference.abs().max().item()
    families = {"cast": "CAST", "cava": "CAVA", "ca2st": "CA²ST"}
    for name in ca2st.WHOLE_MODELS:
        case = golden(f"ca2st/{name}.json")
        family = case["config"]["model"]
        model = from_reference(golden_weights(case), family, **ca2st.settings(case))
        pairs = ca2st.logits(case, model(**ca2st.inputs(case)))
        largest = max((ours - reference).abs().max().item() for ours, reference in pairs)
        yield families[family], name, largest, max(reference.abs().max().item() for _, reference in pairs)


def main() -> None:
    logging.set_verbosity_error()
    found = list(differences())
    print("| family | tiny model | largest difference | largest logit |")
    print("|---|---|---:|---:|")
    for family, name, difference, logit in found:
        print(f"| {family} | {name} | {difference:.1e} | {logit:.1e} |")
    for family in dict.fromkeys(row[0] for row in found):
        relative = [difference / logit for each, _, difference, logit in found if each == family]
        print(f"{family}: {len(relative)} models, at most {max(relative):.1e} of the largest logit")


if __name__ == "__main__":
    main()
