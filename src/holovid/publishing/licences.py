"""Licences of the Hub, and licences of the weights that models start from.

`check_licence` refuses a commercial licence for a model that contains or needs non-commercial weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holovid.cheap_checks import is_hub_id
from holovid.families.family import family_of, variant_of

if TYPE_CHECKING:  # licences are checked before torch is imported
    from transformers import PreTrainedConfig

    from holovid.facts import ModelFacts
    from holovid.records import Records

# the identifiers of the Hub's documentation, "Licenses"
LICENCES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community
    h-research intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql
    unknown unlicense wtfpl zlib
    """.split()  # noqa: SIM905
)
# start of a Hub id -> licence of the weights
OF_WEIGHTS = {
    "openai/clip-": "mit",
    "MCG-NJU/videomae-": "cc-by-nc-4.0",
    "MIT/ast-": "bsd-3-clause",
    "google/vit-": "apache-2.0",
}


@dataclass(frozen=True)
class Licence:
    """A licence for the Hub.

    Args:
        id: one of `LICENCES`.
        name, link: required for "other", not allowed for any other id.

    Raises `ValueError` for an unknown `id`, and for a name or link that is missing or not allowed.
    """

    id: str
    name: str | None = None
    link: str | None = None

    def __post_init__(self) -> None:
        if self.id not in LICENCES:
            alike = ", ".join(known for known in sorted(LICENCES) if known.startswith(self.id.lower()[:2]))
            raise ValueError(
                f"the Hub knows no licence {self.id!r}; it knows {alike or 'apache-2.0 and others'}. For any other "
                "licence give other, with a name and a link"
            )
        if bool(self.name and self.link) != (self.id == "other") or bool(self.name) != bool(self.link):
            raise ValueError("licence other needs both a name and a link; no other licence takes them")

    def __str__(self) -> str:
        return f"[{self.name}]({self.link})" if self.name else self.id

    def metadata(self) -> dict[str, str]:
        entries = {"license": self.id, "license_name": self.name, "license_link": self.link}
        return {name: value for name, value in entries.items() if value}


@dataclass(frozen=True)
class Origin:
    """Weights that others made: the `part` of the model; their Hub id, commit, hash and licence, `None` if unknown."""

    part: str
    source: str | None = None
    revision: str | None = None
    sha256: str | None = None
    licence: str | None = None

    def __str__(self) -> str:
        return f"{self.part} ({self.source})" if self.source else self.part


def licence_of(source: str | None) -> str | None:
    """The licence of published weights by their Hub id, or `None` if it is not in `OF_WEIGHTS`."""
    return next((licence for prefix, licence in OF_WEIGHTS.items() if (source or "").startswith(prefix)), None)


def check_licence(licence: Licence | str | None, origins: Sequence[Origin] = ()) -> Licence:
    """Return the licence if a model with weights of these origins may be published under it.

    Args:
        licence: a [`Licence`], or its id.
        origins: where the weights of the model come from.

    Raises `ValueError` if there is no licence, or if it permits commercial use of non-commercial weights.
    """
    if not licence:
        raise ValueError(f"a licence is required: give the id of a licence of the Hub, {binding(origins)}")
    licence = licence if isinstance(licence, Licence) else Licence(licence)
    bound = [origin for origin in origins if is_non_commercial(origin.licence)]
    if bound and not (is_non_commercial(licence.id) or licence.id == "other"):
        raise ValueError(
            f"the {bound[0]} is under {bound[0].licence}, which forbids commercial use, so the model cannot be under "
            f"{licence.id}: use {bound[0].licence}"
        )
    return licence


def is_non_commercial(licence: str | None) -> bool:
    return "-nc-" in (licence or "")


def binding(origins: Sequence[Origin]) -> str:
    """The licence that the origins suggest, in words."""
    bound = [origin for origin in origins if is_non_commercial(origin.licence)]
    return f"such as {bound[0].licence}, the licence of the {bound[0]}" if bound else "such as apache-2.0"


def origins(config: "PreTrainedConfig", facts: "ModelFacts", records: "Records") -> list[Origin]:
    """Where the weights of a model come from, with those that loading has to download."""
    found = []
    start = (records.training or {}).get("starting_point")
    if start:
        found.append(Origin("starting weights", start if is_hub_id(start) else None, licence=licence_of(start)))
    if records.conversion:
        name = records.conversion["source"] or "tensors"
        sha256 = records.conversion["sha256"]
        found.append(Origin(f"converted file {name}", sha256=sha256, licence=variant_of(config).licence))
    for expert, about in facts.experts.items():
        part = f"{expert} expert, {about.kind}"
        if about.source or about.sha256:
            source = about.source if is_hub_id(about.source) else None
            found.append(Origin(part, source, about.revision, about.sha256, licence_of(source)))
        elif records.conversion:
            found.append(Origin(f"{part} (as in the paper)", licence=family_of(config).parts[expert].licence))
    return found
