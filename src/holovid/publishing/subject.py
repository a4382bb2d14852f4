"""What a model card is about."""

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
        name: what the model is loaded by.
        config, facts, records: of its folder.
        origins: whose weights it is made of.
        licence: of the card.
        snippets: what a reader pastes.
        picture: name of the file in the folder that shows an answer; `None` if there is none.
    """

    name: str
    config: PreTrainedConfig
    facts: ModelFacts
    records: Records
    origins: list[Origin]
    licence: Licence
    snippets: Snippets
    picture: str | None = None
