"""The record of a family: all that tools ask of it. Nothing else in holovid names a family.

A record is `FAMILY` of a file in this folder; or, in another installed package, what an entry point of the group
`holovid.families` names:

    [project.entry-points."holovid.families"]
    framewise = "framewise.family:FAMILY"

Such a package lists its public classes in its `__init__.pyi`, as holovid does, in modules `configuration_<model_type>`
and `modeling_<model_type>`; whatever these import of the package and of holovid's own three folders travels with saved
models. Records name classes and functions by "module:name": reading them imports neither torch nor transformers.
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
# classes of data sets, by task
KINETICS_400, KINETICS_600, SOMETHING = {"label": 400}, {"label": 600}, {"label": 174}
TRAVELLING = ("holovid.configuration", "holovid.modeling", "holovid.processing")


BASE_16 = {"hidden_size": 768, "num_hidden_layers": 12}  # the size of most models that papers report: B/16


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
    """A figure of others: accuracies in percent of a model with so many classes and frames, seen in `views`.

    `settings` are fields of its configuration, or properties, that say which size of model it is.
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
    """A model of somebody else's inside of ours: which `kind` it is, and the `licence` of the papers' weights."""

    kind: str
    licence: str | None = None


@dataclass(frozen=True)
class Variant:
    """A model of a family that has a name of its own.

    Args:
        name: what `--model` and `--family` call it.
        title: what people call it.
        about: what it is, as a card says it after a colon.
        settings: fields of the configuration that make it this one.
        papers: that describe it, the first one first.
        converter: "module:function" that reads the released checkpoints; its arguments after the state dict are the
            options of `holovid convert`.
        reported: figures of the papers.
        licence: of the released weights, or of the code where no other is known.
        caveat: what a card says first of its limitations, in a sentence.
        parity: how many tiny models were compared with the released code.
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
        model_type: as in the configuration.
        variants: a configuration is the first one whose settings it has, else the first one of all.
        toy: fields of the configuration for models that learn the synthetic clips in a minute.
        recipes: what the papers train with.
        starts_from: `model_type` of an image model -> name of the classifier's class method that starts from it.
        parts: the experts that a model is made of, by name, in their order; its classifier has `from_experts`.
        hears: whether some of its models take sound.
        ensemble: what the paper averages over views and crops.
        explanations: how its answers are explained, the best way first: name of a method of `holovid.explanation` ->
            "module:name" of what does it; of "relevance", a rule.
        stream: "module:class" that runs a model frame by frame.
        package: in whose `__init__.pyi` the public classes are.
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
        """The name of the configuration's class."""
        for name in self._names("configuration"):
            if name.endswith("Config"):
                return name
        raise ValueError(f"the __init__.pyi of {self.package} has no ...Config of configuration_{self.model_type}")

    @property
    def config_class(self) -> type["PreTrainedConfig"]:
        return self.public(self.config_name)

    @property
    def model_names(self) -> list[str]:
        """The names of the base model and of all heads."""
        return self._names("modeling")

    def public(self, name: str) -> Any:
        """The class of this name, also while its package is being imported."""
        return getattr(import_module(public_names(self.package)[name]), name)

    def _names(self, kind: str) -> list[str]:
        module = f"{kind}_{self.model_type}"
        return [name for name, where in public_names(self.package).items() if where.rpartition(".")[2] == module]


@cache
def families() -> dict[str, Family]:
    """All families by `model_type`: ours, the oldest first, then those of other installed packages.

    Raises `ValueError` for a record that does not load, or two of one name.
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
            raise ValueError(f"the family {family.model_type} of {family.package} has a name that another one has")
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
    """The models of all families by name."""
    return {variant.name: variant for family in families().values() for variant in family.variants}


def converters() -> dict[str, str]:
    """ "module:function" of each model whose released checkpoints can be read."""
    return {name: variant.converter for name, variant in variants().items() if variant.converter}


def converter_of(name: str) -> str:
    """Raises `ValueError` for a name that no model with a converter has."""
    if name not in converters():
        raise ValueError(f"unknown family {name!r}; known are {', '.join(converters())}")
    return converters()[name]


def family_of_variant(name: str) -> Family:
    return next(family for family in families().values() if name in {variant.name for variant in family.variants})


def joins_experts() -> Family:
    """The family whose models are made of experts."""
    return next(family for family in families().values() if family.parts)


def with_all_experts() -> Variant:
    """The model that has all of them."""
    family = joins_experts()
    return next(variant for variant in family.variants if set(variant.settings["experts"]) == set(family.parts))


def family_of(config: "PreTrainedConfig", name: str = "this") -> Family:
    """The family of a configuration. Raises `ValueError`, which calls the model `name`, if it is none of holovid's."""
    if config.model_type not in families():
        raise ValueError(f"{name} is a {config.model_type} model; holovid's are {', '.join(families())}")
    return families()[config.model_type]


def variant_of(config: "PreTrainedConfig") -> Variant:
    """Which model of its family a configuration describes. Raises `ValueError` if it is none of holovid's."""
    known = family_of(config).variants
    return next((variant for variant in known if variant.fits(config)), known[0])


def named(reference: str) -> Any:
    """What "module:name" names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


@cache
def public_names(package: str) -> dict[str, str]:
    """Name -> module, of what the `__init__.pyi` of a package lists."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no package {package}")
    stub = Path(spec.origin).with_suffix(".pyi")
    if not stub.is_file():
        raise ValueError(f"{package} has no {stub.name}, which lists the classes of its family")
    text = stub.read_text(encoding="utf-8")
    return {found["name"]: f"{package}.{found['module']}" for found in PUBLIC.finditer(text)}


def packages() -> set[str]:
    """Packages whose modules travel with saved models: holovid, of which three folders do, and those of families."""
    return {"holovid"} | {family.package for family in families().values()}


def travels(module: str) -> bool:
    """Whether a module's source lies beside the models that are saved."""
    package = module.partition(".")[0]
    return module.rpartition(".")[0] in TRAVELLING if package == "holovid" else package in packages()
