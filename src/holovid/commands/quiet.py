"""What commands say is theirs to say: transformers' remarks and progress bars are switched off."""


def be_quiet(warnings: bool = False) -> None:
    """Silence transformers, importing it: after what is cheap to check.

    Args:
        warnings: whether its warnings, and ours of modules that travel, are still shown.
    """
    from transformers import logging

    if not warnings:
        logging.set_verbosity_error()
    logging.disable_progress_bar()
