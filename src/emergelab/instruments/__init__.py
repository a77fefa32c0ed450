"""Instruments: one question each, asked of any run or of the user's own labelled data.

They read labelled arrays and know nothing of systems, so they import no jax. The imports here are not lazy on
purpose: an instrument and its module share a name, and the function must be bound after the module.
"""

from emergelab.instruments.calibrate import Calibration, calibrate, scenes, seeds_to_detect
from emergelab.instruments.mirage import mirage
from emergelab.instruments.onset import onset
from emergelab.instruments.result import Result

__all__ = ["Calibration", "Result", "calibrate", "mirage", "onset", "scenes", "seeds_to_detect"]
