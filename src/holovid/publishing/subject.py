"""All that the text of a model card is made from."""

from dataclasses import dataclass

from transformers import PreTrainedConfig

from holovid.facts import ModelFacts
from holovid.publishing.card_snippets import Snippets
from holovid.publishing.licences import Licence, Origin
from holovid.records import Records


@dataclass(frozen=True)
class Subject:
    """
    Args:
        name: Hub id or folder that the model is loaded from.
        config, facts, records: read from its folder.
        origins: where its weights come from.
        licence: licence of the weights.
        snippets: code to show.
        picture: file in the folder that shows a prediction, or `None`.
    """

    name: str
    config: PreTrainedConfig
    facts: ModelFacts
    records: Records
    origins: list[Origin]
    licence: Licence
    snippets: Snippets
    picture: str | None = None
