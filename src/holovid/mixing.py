"""A documented path of what is in `holovid.data.mixing`."""

from holovid.data.mixing import ClipMixing as ClipMixing
