"""The record of a model family: all that the tools need to know about it. No other module names a family.

A record is the value `FAMILY` of a file in this folder. Other installed packages add records through the entry point
group `holovid.families`:

    [project.entry-points."holovid.families"]
    framewise = "framewise.family:FAMILY"

Such a package lists its public classes in its `__init__.pyi`, as holovid does, from modules named
`configuration_<model_type>` and `modeling_<model_type>`. What these modules import from the package, and from the
configuration, modeling and processing of holovid, is saved with each model. Records name classes and functions as
"module:name", so that reading a record imports neither torch nor transformers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from holovid.recipes import Recipe

GROUP = "holovid.families"
PUBLIC = re.compile(r"^from \.(?P<module>[\w.]+) import (?P<name>\w+) as", re.MULTILINE)
# number of classes of common data sets, by task
KINETICS_400, KINETICS_600, SOMETHING = {"label": 400}, {"label": 600}, {"label": 174}
TRAVELLING = ("holovid.configuration", "holovid.modeling", "holovid.processing")


BASE_16 = {"hidden_size": 768, "num_hidden_layers": 12}  # ViT-B/16, the size of most published models


def has_settings(config: "PreTrainedConfig", settings: Mapping[str, Any]) -> bool:
    return all(getattr(config, name, None) == value for name, value in settings.items())


@dataclass(frozen=True)
class Paper:
    title: str
    address: str
    year: int
    bibtex: str


@dataclass(frozen=True)
class Reported:
    """A published result.

    Args:
        dataset: name of the data set.
        classes: number of classes by task.
        num_frames: frames of a view.
        accuracy: the figures as text, in percent.
        views: "views x crops" of the evaluation.
        source: paper or page.
        settings: fields or properties of the configuration that identify the size of the model.
    """

    dataset: str
    classes: Mapping[str, int]
    num_frames: int
    accuracy: str
    views: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=lambda: BASE_16)

    def fits(self, config: "PreTrainedConfig") -> bool:
        return has_settings(config, self.settings)


@dataclass(frozen=True)
class Part:
    """An expert of a model: the `kind` of model that it is, and the `licence` of the weights that the paper used."""

    kind: str
    licence: str | None = None


@dataclass(frozen=True)
class Variant:
    """A named model of a family, such as CAST.

    Args:
        name: its name in `--model` and `--family`.
        title: its name in text.
        about: its architecture, as a noun phrase for the model card.
        settings: fields of the configuration that identify it.
        papers: the papers that describe it, the oldest first.
        converter: "module:function" that reads released checkpoints. Its arguments after the state dict are the
            options of `holovid convert`.
        reported: published results.
        licence: licence of the released weights, or of the released code if the weights have none of their own.
        caveat: the first limitation on the model card, as a sentence.
        parity: number of tiny models that tests compare with the released code.
    """

    name: str
    title: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    papers: tuple[Paper, ...] = ()
    converter: str | None = None
    reported: tuple[Reported, ...] = ()
    licence: str | None = None
    caveat: str = ""
    parity: int = 0

    def fits(self, config: "PreTrainedConfig") -> bool:
        return has_settings(config, self.settings)


@dataclass(frozen=True)
class Family:
    """
    Args:
        model_type: `model_type` of the configuration.
        variants: the named models. A configuration belongs to the first one whose settings it has, else to the first.
        toy: fields of the configuration of a model that learns the synthetic clips in a minute.
        recipes: training recipes, from the papers.
        starts_from: `model_type` of an image model -> class method of the classifier that starts from it.
        parts: the experts of a model by name, in order. The classifier then has `from_experts`.
        hears: whether some of its models use audio.
        ensemble: what the paper averages over views and crops.
        explanations: method of `holovid.explanation` -> "module:name" that implements it (for "relevance", its rule);
            the best method first.
        stream: "module:class" that runs a model frame by frame.
        package: the package whose `__init__.pyi` lists the public classes.
    """

    model_type: str
    variants: tuple[Variant, ...]
    toy: Mapping[str, Any] = field(default_factory=dict)
    recipes: tuple["Recipe", ...] = ()
    starts_from: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    hears: bool = False
    ensemble: Literal["logits", "probabilities"] = "logits"
    explanations: Mapping[str, str] = field(default_factory=dict)
    stream: str | None = None
    package: str = "holovid"

    @property
    def config_name(self) -> str:
        for name in self._names("configuration"):
            if name.endswith("Config"):
                return name
        module = f"configuration_{self.model_type}"
        raise ValueError(f"the __init__.pyi of {self.package} must list a ...Config class from {module}; it has none")

    @property
    def config_class(self) -> type["PreTrainedConfig"]:
        return self.public(self.config_name)

    @property
    def model_names(self) -> list[str]:
        return self._names("modeling")

    def public(self, name: str) -> Any:
        """The class of this name; works while its package is being imported, too."""
        return getattr(import_module(public_names(self.package)[name]), name)

    def _names(self, kind: str) -> list[str]:
        module = f"{kind}_{self.model_type}"
        return [name for name, where in public_names(self.package).items() if where.rpartition(".")[2] == module]


@cache
def families() -> dict[str, Family]:
    """All families by `model_type`: holovid's, the oldest paper first, then those of other installed packages.

    Raises `ValueError` for a record that does not load, and if two families share a name.
    """
    ours = [
        import_module(f"{__package__}.{module.name}").FAMILY
        for module in iter_modules([str(Path(__file__).parent)])
        if module.name != "family"
    ]
    ours.sort(key=lambda family: family.variants[0].papers[0].year)
    found: dict[str, Family] = {}
    for family in [*ours, *of_other_packages()]:
        taken = {variant.name for other in found.values() for variant in other.variants}
        if family.model_type in found or taken & {variant.name for variant in family.variants}:
            raise ValueError(
                f"the family {family.model_type} of {family.package} has the name of another family, or one of its "
                "variants has the name of another variant: choose other names"
            )
        found[family.model_type] = family
    return found


def of_other_packages() -> list[Family]:
    found = []
    for point in entry_points(group=GROUP):
        try:
            family = point.load()
        except Exception as error:
            raise ValueError(f"the family {point.name} of {point.value} does not load: {error!r}") from error
        if not isinstance(family, Family):
            raise ValueError(f"the family {point.name} of {point.value} is a {type(family).__name__}, not a Family")
        found.append(family)
    return found


def variants() -> dict[str, Variant]:
    """The named models of all families."""
    return {variant.name: variant for family in families().values() for variant in family.variants}


def converters() -> dict[str, str]:
    """Variant name -> "module:function", of variants whose released checkpoints can be converted."""
    return {name: variant.converter for name, variant in variants().items() if variant.converter}


def converter_of(name: str) -> str:
    """The "module:function" of a variant's converter. Raises `ValueError` if there is none."""
    if name not in converters():
        raise ValueError(f"unknown family {name!r}; choose from {', '.join(converters())}")
    return converters()[name]


def family_of_variant(name: str) -> Family:
    return next(family for family in families().values() if name in {variant.name for variant in family.variants})


def joins_experts() -> Family:
    """The family whose models consist of experts."""
    return next(family for family in families().values() if family.parts)


def with_all_experts() -> Variant:
    """The variant that has all experts."""
    family = joins_experts()
    return next(variant for variant in family.variants if set(variant.settings["experts"]) == set(family.parts))


def family_of(config: "PreTrainedConfig", name: str = "this") -> Family:
    """The family of a configuration. Raises `ValueError`, which calls the model `name`, if there is none."""
    if config.model_type not in families():
        raise ValueError(f"{name} is a {config.model_type} model; holovid's are {', '.join(families())}")
    return families()[config.model_type]


def variant_of(config: "PreTrainedConfig") -> Variant:
    """The variant that a configuration describes. Raises `ValueError` if it belongs to no family."""
    known = family_of(config).variants
    return next((variant for variant in known if variant.fits(config)), known[0])


def named(reference: str) -> Any:
    """The object called "module:name"."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


@cache
def public_names(package: str) -> dict[str, str]:
    """Public name -> module, as the `__init__.pyi` of a package lists them."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no package {package}")
    stub = Path(spec.origin).with_suffix(".pyi")
    if not stub.is_file():
        raise ValueError(f"{package} has no {stub.name}, which lists the classes of its family")
    text = stub.read_text(encoding="utf-8")
    return {found["name"]: f"{package}.{found['module']}" for found in PUBLIC.finditer(text)}


def packages() -> set[str]:
    """Packages whose modules can be saved with models: holovid, and the packages of families."""
    return {"holovid"} | {family.package for family in families().values()}


def travels(module: str) -> bool:
    """Whether the source of a module is saved with models."""
    package = module.partition(".")[0]
    return module.rpartition(".")[0] in TRAVELLING if package == "holovid" else package in packages()
