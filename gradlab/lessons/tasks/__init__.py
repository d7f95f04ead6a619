"""The tasks: one file each, one line here. The interface is in `interface`."""

from __future__ import annotations

from gradlab.lessons.tasks.adding import Adding
from gradlab.lessons.tasks.agreement import Agreement
from gradlab.lessons.tasks.copying import Copy
from gradlab.lessons.tasks.interface import Task
from gradlab.lessons.tasks.language_model import LanguageModel
from gradlab.lessons.tasks.noiseless_memorization import NoiselessMemorization
from gradlab.lessons.tasks.temporal_order import TemporalOrder

TASKS: dict[str, type[Task]] = {
    "adding": Adding,
    "temporal_order": TemporalOrder,
    "copy": Copy,
    "noiseless_memorization": NoiselessMemorization,
    "agreement": Agreement,
    "language_model": LanguageModel,
}
