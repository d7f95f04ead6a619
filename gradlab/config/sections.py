"""The parts of a config that have keys of their own, and the short forms in which they may be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias, Union, get_type_hints
