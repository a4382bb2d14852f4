"""Commands print their own messages: the log and progress bars of transformers are switched off."""


def be_quiet(warnings: bool = False) -> None:
    """Silence transformers. Imports it, so call this after the cheap checks.

    Args:
        warnings: keep its warnings, and those of holovid's configuration, modeling and processing.
    """
    from transformers import logging

    if not warnings:
        logging.set_verbosity_error()
    logging.disable_progress_bar()
