"""The variants of every family, which a new one joins by being there."""

import pytest

from holovid.families import Variant, variants


@pytest.fixture(params=variants().values(), ids=variants())
def variant(request) -> Variant:
    return request.param
