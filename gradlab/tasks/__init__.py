"""The tasks: one file each, one line here. The interface is in `interface`."""

from __future__ import annotations

from gradlab.tasks.adding import Adding
from gradlab.tasks.agreement import Agreement
from gradlab.tasks.copying import Copy
from gradlab.tasks.interface import Task
from gradlab.tasks.language_model import LanguageModel
from gradlab.tasks.noiseless_memorization import NoiselessMemorization
from gradlab.tasks.temporal_order import TemporalOrder

TASKS: dict[str, type[Task]] = {
    "adding": Adding,
    "temporal_order": TemporalOrder,
    "copy": Copy,
    "noiseless_memorization": NoiselessMemorization,
    "agreement": Agreement,
    "language_model": LanguageModel,
}
