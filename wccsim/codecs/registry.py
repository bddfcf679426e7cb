"""The codecs by name, and one constructor for all of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from wccsim.codecs.apot import Apot
from wccsim.codecs.base import Codec
from wccsim.codecs.csr import Csr
from wccsim.codecs.dc_ac import DcAc
from wccsim.codecs.dct8x8 import Dct8x8
from wccsim.codecs.dct_cm import DctCm
from wccsim.codecs.deflate import Deflate
from wccsim.codecs.ebpc import Ebpc
from wccsim.codecs.huffman import Huffman
from wccsim.codecs.klt import Klt
from wccsim.codecs.mwq import Mwq
from wccsim.codecs.rice import Rice
from wccsim.codecs.rlc import Rlc
from wccsim.codecs.transform_quantization import TransformQuantization
from wccsim.codecs.uniform import Uniform
from wccsim.codecs.wcc import Wcc
from wccsim.codecs.zvc import Zvc
from wccsim.errors import WccsimError

CODECS: dict[str, type[Codec]] = {
    kind.NAME: kind
    for kind in (
        *(Uniform, Apot),
        *(Wcc, Mwq),
        *(Klt, TransformQuantization, DctCm, Dct8x8),
        *(Zvc, Rlc, Csr, Ebpc),
        *(Rice, Huffman, DcAc, Deflate),
    )
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a codec, for listing."""

    name: str
    default: Any


def settings(name: str) -> list[Setting]:
    """The parameters of the codec `name`, with their defaults."""
    kind: Any = _kind(name)
    return [Setting(f.name, f.default) for f in fields(kind) if not f.metadata.get("made")]


def codec(name: str, **parameters: Any) -> Codec:
    """The codec `name` with its settings, for example codec("uniform", bits=4).

    The result has encode(x) -> Encoded, decode(encoded) -> array, size(x) -> bits and
    cost(shape, value_bits). Raises WccsimError for an unknown name, parameter or value.
    """
    kind: Any = _kind(name)
    allowed = [setting.name for setting in settings(name)]
    for given in parameters:
        if given not in allowed:
            raise WccsimError(_unknown(f"parameter {given!r} of codec {name}", given, allowed))
    made = kind(**parameters)
    assert isinstance(made, Codec)
    return made


def _kind(name: object) -> type[Codec]:
    if not isinstance(name, str) or name not in CODECS:
        raise WccsimError(_unknown(f"codec {name!r}", str(name), sorted(CODECS)))
    return CODECS[name]


def _unknown(what: str, given: str, allowed: list[str]) -> str:
    near = get_close_matches(given, allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what}{hint}; allowed: {', '.join(allowed) or 'none'}"
