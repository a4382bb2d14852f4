"""`holovid info`: print facts about a model."""

from holovid.cheap_checks import check_model_name
from holovid.commands.options import AnyModel, AsJson
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import fact_table, show


def info(model: AnyModel, as_json: AsJson = False) -> None:
    """Print a model's kind, size, compute and inputs. From the Hub, only small files are downloaded.

    holovid info my-model
    """
    check_model_name(model)
    be_quiet()

    from holovid.facts import fact_lines, model_facts

    facts = model_facts(model)
    show(facts.to_dict(), fact_table(fact_lines(facts)), as_json)
