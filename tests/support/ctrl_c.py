"""Commands that are to be stopped by Ctrl-C."""

import signal


def heed_ctrl_c() -> None:
    """As `preexec_fn`: what starts the tests in the background may ignore Ctrl-C, and so would the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
