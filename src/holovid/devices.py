"""Where models run."""

from torch import nn

from holovid.cheap_checks import check_device


def move_to(model: nn.Module, device: str) -> nn.Module:
    """The model on the device of this name. Raises `ValueError` when there is none, or not enough memory on it."""
    check_device(device)
    try:
        return model.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has one of them for each kind
        raise ValueError(f"the model cannot go to {device!r}: {str(error).splitlines()[0]}") from error
