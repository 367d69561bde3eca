"""Values that are computed once for each immutable object."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """Property that is computed when it is first read.

    As `functools.cached_property`, whose lock costs more than what the mapper computes.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Note under which name the value is kept."""
        self._name = name

    @overload
    def __get__(self, owned: None, owner: type) -> Self: ...
    @overload
    def __get__(self, owned: object, owner: type) -> T: ...
    def __get__(self, owned: object | None, owner: type) -> Self | T:
        """Compute the value and keep it where it is found before this is."""
        if owned is None:
            return self
        value = owned.__dict__[self._name] = self._compute(owned)
        return value
