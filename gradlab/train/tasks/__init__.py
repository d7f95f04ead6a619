"""The tasks: one file each, one line here. The interface is in `interface`."""

from __future__ import annotations

from gradlab.train.tasks.adding import Adding
from gradlab.train.tasks.agreement import Agreement
from gradlab.train.tasks.copying import Copy
from gradlab.train.tasks.interface import Task
from gradlab.train.tasks.language_model import LanguageModel
from gradlab.train.tasks.noiseless_memorization import NoiselessMemorization
from gradlab.train.tasks.temporal_order import TemporalOrder

TASKS: dict[str, type[Task]] = {
    "adding": Adding,
    "temporal_order": TemporalOrder,
    "copy": Copy,
    "noiseless_memorization": NoiselessMemorization,
    "agreement": Agreement,
    "language_model": LanguageModel,
}
