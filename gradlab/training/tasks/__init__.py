"""The tasks: one file each, one line here. The interface is in `interface`."""

from __future__ import annotations

from gradlab.training.tasks.adding import Adding
from gradlab.training.tasks.agreement import Agreement
from gradlab.training.tasks.copying import Copy
from gradlab.training.tasks.interface import Task
from gradlab.training.tasks.language_model import LanguageModel
from gradlab.training.tasks.noiseless_memorization import NoiselessMemorization
from gradlab.training.tasks.temporal_order import TemporalOrder

TASKS: dict[str, type[Task]] = {
    "adding": Adding,
    "temporal_order": TemporalOrder,
    "copy": Copy,
    "noiseless_memorization": NoiselessMemorization,
    "agreement": Agreement,
    "language_model": LanguageModel,
}
