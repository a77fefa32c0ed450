"""Instruments: one question each, asked of any run or of the user's own labelled data.

They read labelled arrays and know nothing of systems, so they import no jax. The imports here are not lazy on
purpose: an instrument and its module share a name, and the function must be bound after the module.
"""

from emergelab.instruments.behaviours import behaviours
from emergelab.instruments.calibrate import Calibration, calibrate, scenes, seeds_to_detect
from emergelab.instruments.causal_emergence import causal_emergence
from emergelab.instruments.change_points import change_points
from emergelab.instruments.communities import communities
from emergelab.instruments.cross_check import CrossCheck, cross_check
from emergelab.instruments.diversity import diversity
from emergelab.instruments.early_warning import early_warning
from emergelab.instruments.instability import instability
from emergelab.instruments.language_metrics import language_metrics
from emergelab.instruments.learning_curves import learning_curves
from emergelab.instruments.lifelong import lifelong
from emergelab.instruments.mirage import mirage
from emergelab.instruments.novelty import novelty
from emergelab.instruments.onset import onset
from emergelab.instruments.order_parameters import order_parameters
from emergelab.instruments.passuntil import passuntil
from emergelab.instruments.result import Result
from emergelab.instruments.retention import retention
from emergelab.instruments.skill_efficiency import skill_efficiency

INSTRUMENTS = (
    "onset", "mirage", "change_points", "learning_curves", "early_warning", "order_parameters", "passuntil",
    "causal_emergence", "lifelong", "retention", "diversity", "language_metrics", "novelty", "skill_efficiency",
    "instability", "communities", "behaviours",
)  # fmt: skip
"""Names of all instruments, in the order of the docs."""

__all__ = [
    "INSTRUMENTS",
    "Calibration",
    "CrossCheck",
    "Result",
    "behaviours",
    "calibrate",
    "causal_emergence",
    "change_points",
    "communities",
    "cross_check",
    "diversity",
    "early_warning",
    "instability",
    "language_metrics",
    "learning_curves",
    "lifelong",
    "mirage",
    "novelty",
    "onset",
    "order_parameters",
    "passuntil",
    "retention",
    "scenes",
    "seeds_to_detect",
    "skill_efficiency",
]
