"""Connectionist temporal classification: the probability of a sequence of labels, summed over its alignments in time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.rules.losses import MEAN, reduced
from apolar.rules.registry import composite


@composite(torch.ctc_loss)
def ctc_loss(
    log_probs: Any, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = MEAN,
    zero_infinity: bool = False,
) -> Any:  # fmt: skip
    """−log p(labels), divided by the number of labels where the mean is taken.

    Source: Graves et al., Connectionist temporal classification, 2006, equations 6 and 7.
    """
    batched = log_probs.ndim == 3
    log_probs = log_probs if batched else log_probs.unsqueeze(1)
    steps, lengths = (torch.as_tensor(n, device=targets.device).reshape(-1) for n in (input_lengths, target_lengths))
    loss = -log_probability(log_probs, with_blanks(targets, lengths, blank), steps, lengths, blank)
    loss = torch.where(torch.isinf(loss), 0.0, loss) if zero_infinity else loss
    if reduction == MEAN:
        loss = loss / lengths.clamp(min=1)
    return reduced(loss if batched else loss.squeeze(0), reduction)


def with_blanks(targets: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """b l₁ b l₂ … b, a row for each sample, from rows of labels or from all labels one after another."""
    size = int(lengths.max()) if len(lengths) else 0
    labelled = torch.arange(size, device=targets.device) < lengths[:, None]
    states = torch.full((len(lengths), 2 * size + 1), blank, device=targets.device)
    labels = targets[:, :size][labelled] if targets.ndim > 1 else targets[: int(labelled.sum())]
    states[:, 1::2] = torch.full_like(states[:, 1::2], blank).masked_scatter(labelled, labels.long())
    return states


def log_probability(log_probs: Any, states: Tensor, steps: Tensor, lengths: Tensor, blank: int) -> Any:
    """αₜ(s) = (αₜ₋₁(s) + αₜ₋₁(s−1) + αₜ₋₁(s−2)) pₜ(lₛ) in logarithms; a step of 2 only between different labels.

    An alignment ends in the last label or in the blank behind it.
    """
    width = states.shape[1]
    skips = (states != F.pad(states, (2, 0), value=blank)[:, :width]) & (states != blank)
    emitted = log_probs.gather(2, states.expand(len(log_probs), -1, -1))
    alpha: Any = torch.full(states.shape, -torch.inf, dtype=log_probs.dtype, device=log_probs.device)
    alpha[:, 0] = 0.0
    for t, emission in enumerate(emitted.unbind(0)):
        one, two = (F.pad(alpha, (n, 0), value=-torch.inf)[:, :width] for n in (1, 2))
        reached = torch.logsumexp(torch.stack([alpha, one, torch.where(skips, two, -torch.inf)]), 0)
        alpha = torch.where(t < steps[:, None], reached + emission, alpha)
    blank_last = alpha.gather(1, 2 * lengths[:, None])
    label_last = torch.where(lengths[:, None] > 0, alpha.gather(1, (2 * lengths[:, None] - 1).clamp(min=0)), -torch.inf)
    return torch.logsumexp(torch.cat([blank_last, label_last], 1), 1)
