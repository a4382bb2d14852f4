"""Moving models to devices."""

from torch import nn

from holovid.cheap_checks import check_device


def move_to(model: nn.Module, device: str) -> nn.Module:
    """Move a model to a device. Raises `ValueError` if the device does not exist or lacks memory."""
    check_device(device)
    try:
        return model.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # depends on the kind of device
        raise ValueError(f"the model cannot be moved to {device!r}: {str(error).splitlines()[0]}") from error
