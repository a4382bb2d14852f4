"""Public import path of `holovid.data.mixing`."""

from holovid.data.mixing import ClipMixing as ClipMixing
