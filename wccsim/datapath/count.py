"""What one run did: the actions of every stage, from the sizes of the arrays it worked on.

This is the running data's route to the counts; `wccsim.analytic` is the other (docs/actions.md).
"""

from __future__ import annotations

import numpy as np

from wccsim.actions import ActionCounts, Stage
from wccsim.datapath.bitmap import bitmap_actions
from wccsim.datapath.haar import forward_actions, inverse_actions
from wccsim.datapath.mac import mac_actions
from wccsim.datapath.pad import pad_actions
from wccsim.datapath.plain import Arrays, alignment_shifts
from wccsim.datapath.plan import Plan
from wccsim.datapath.requant import requantise_actions
from wccsim.datapath.score import score_actions
from wccsim.datapath.select import select_actions
from wccsim.datapath.subbands import subband_map


def run_actions(plan: Plan, arrays: Arrays, index_bits: int, word_bits: int) -> dict[Stage, ActionCounts]:
    """Actions of the run of `plan` that gave `arrays`; sizes of its index and of its word memory."""
    p, channels, outputs = plan.parameters, plan.channels, plan.out_channels
    if p.plain:
        return _plain_actions(plan, arrays, word_bits)
    positions, kept = len(arrays.kept), int(np.count_nonzero(arrays.kept))
    word, score_bits, mode = p.coefficient_bits(), p.score_bits(channels), p.requantise_mode
    numbers = subband_map(plan.padded_height, plan.padded_width, p.levels)
    shifts = alignment_shifts(plan)[numbers]
    return {
        Stage.PAD: pad_actions(channels, plan.height, plan.width, p.in_bits),
        Stage.HAAR: forward_actions(channels, positions, p.levels, p.haar, word),
        Stage.SCORE: score_actions(channels, shifts, p.score, word, score_bits),
        Stage.SELECT: select_actions(positions, score_bits, p.mantissa_bits),
        Stage.BITMAP: bitmap_actions(index_bits),
        Stage.REQUANTISE: requantise_actions(
            channels * kept,
            mode,
            coefficient_read_bits=channels * kept * word,
            index_read_bits=index_bits,
            kept_write_bits=word_bits,
        ),
        Stage.MAC: mac_actions(channels, outputs, kept, word_bits, p.weight_bits),
        Stage.REQUANTISE_SUM: requantise_actions(
            outputs * kept, mode, wavelet_write_bits=outputs * kept * p.wavelet_bits
        ),
        Stage.ZERO_FILL: ActionCounts(
            index_read_bits=index_bits, wavelet_read_bits=outputs * kept * p.wavelet_bits
        ),
        Stage.INVERSE: inverse_actions(outputs, positions, p.levels, p.haar, p.inverse_bits(), p.bias),
        Stage.REQUANTISE_OUT: requantise_actions(
            outputs * positions, mode, output_write_bits=arrays.out.size * p.out_format().bits
        ),
    }


def _plain_actions(plan: Plan, arrays: Arrays, word_bits: int) -> dict[Stage, ActionCounts]:
    """Of a plain layer: R1 takes the words as they are read, R3 those of R2 as they come; none is stored."""
    p, channels, outputs = plan.parameters, plan.channels, plan.out_channels
    positions, mode = int(np.count_nonzero(arrays.kept)), p.requantise_mode
    return {stage: ActionCounts() for stage in Stage} | {
        Stage.PAD: pad_actions(channels, plan.height, plan.width, p.in_bits),
        Stage.REQUANTISE: requantise_actions(channels * positions, mode, kept_write_bits=word_bits),
        Stage.MAC: mac_actions(channels, outputs, positions, word_bits, p.weight_bits),
        Stage.REQUANTISE_SUM: requantise_actions(outputs * positions, mode),
        Stage.INVERSE: inverse_actions(outputs, positions, 0, p.haar, p.inverse_bits(), p.bias),
        Stage.REQUANTISE_OUT: requantise_actions(
            outputs * positions, mode, output_write_bits=arrays.out.size * p.out_format().bits
        ),
    }
