"""Why a gradient is None, zero, NaN, wrong or an error: found in graphs, functions, exceptions and running code.

Stands above the engine and asks it where a derivative must be compared; nothing of the engine knows it.
"""

from apolar.diagnosis.ask import diagnose
from apolar.diagnosis.card import Card, inspect
from apolar.diagnosis.finding import Diagnosis, Finding
from apolar.diagnosis.watch import watch

__all__ = ["Card", "Diagnosis", "Finding", "diagnose", "inspect", "watch"]
