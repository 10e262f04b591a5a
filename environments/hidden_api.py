"""An undocumented API, of which only its answers tell how it wants to be called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from .instance import checked_integer, draw
from .text_task import Reply, TextTask

_FAMILY = "holdfast/HiddenApi-v0"

# name: the errand, and the unit of the errand with those of a hundred or a thousand times as much and as little
_ENDPOINTS: dict[str, tuple[str, str]] = {
    "ship": ("ship {} kg of rice", "kg"),
    "heat": ("heat the oven for {} minutes", "minutes"),
    "pay": ("pay {} euros to the baker", "euros"),
    "cut": ("cut {} m of cable", "m"),
    "pour": ("pour {} litres of water", "litres"),
    "upload": ("upload {} MB of pictures", "MB"),
    "lift": ("lift the load by {} m", "m"),
    "grind": ("grind {} kg of coffee", "kg"),
}
_SCALES = {
    "kg": (Fraction(1), Fraction(1000), Fraction(1, 1000)),  # kg, g, t
    "minutes": (Fraction(1), Fraction(60), Fraction(60_000)),  # min, s, ms
    "euros": (Fraction(1), Fraction(100), Fraction(1000)),  # euros, cents, mills
    "m": (Fraction(1), Fraction(100), Fraction(1000)),  # m, cm, mm
    "litres": (Fraction(1), Fraction(10), Fraction(1000)),  # l, dl, ml
    "MB": (Fraction(1), Fraction(1000), Fraction(1, 1000)),  # MB, kB, GB
}
_PARAMETERS = ("amount", "count", "number", "quantity", "size", "value")
_OPENINGS = ("lock", "login", "start")
_CALL = re.compile(r"\s*(\w+)\s+(\w+)\s*=\s*(\d+(?:\.\d+)?)\s*")


@final
@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the API, and what is hidden of it.

    Attributes:
        name: how it is called.
        errand: what an errand for it asks, in words.
        amount: how much of it, in the unit of the errand.
        parameters: the names of the parameter that candidates have.
        parameter: the right one of them.
        scales: for each unit that candidates have, how much of it is one unit of the errand.
        scale: that of the right one.
        opening: what has to be called first in an errand; None where nothing has.
    """

    name: str
    errand: str
    amount: int
    parameters: tuple[str, ...]
    parameter: str
    scales: tuple[Fraction, ...]
    scale: Fraction
    opening: str | None

    def call(self, parameter: str, scale: Fraction) -> str:
        """Return a call as an agent writes it."""
        return f"{self.name} {parameter}={_decimal(self.amount * scale)}"

    @property
    def right_calls(self) -> tuple[str, ...]:
        """The calls that do the errand, in order."""
        call = self.call(self.parameter, self.scale)
        return (call,) if self.opening is None else (self.opening, call)


class HiddenApiEnv(TextTask):
    """Do errands by calling an API that nobody has documented.

    ## Description
    An API has ``endpoints``. What each is called is told, how it wants to be called is not: the name of its parameter
    (level 1), the unit of the number (from level 2 on), and what has to be called before it (level 3). This is fixed by
    ``task`` alone: the same task has the same API, and the same errands, in every episode, process and machine. An
    episode asks for one errand of each endpoint, in a random order that the seed of ``reset`` decides, and allows
    ``calls`` for each. The API's answers tell a little: that it was the parameter, or that it was too much.

    ## Action Space
    ``Text(1000)``: a call, ``NAME PARAMETER=NUMBER``, or for an opening ``NAME``. Anything else is answered with what
    was wrong, and costs a call like any other.

    ## Observation Space
    ``Text(4000)``: the API's last answer, an empty line, and the errand with the calls left for it. The text has
    printable characters and newlines alone. After the last step nothing is left, and the errand is the last one again.

    | the API answers | meaning |
    |---|---|
    | ``200 done`` | the errand is done, or an opening is made |
    | ``400 ...`` | that is no call |
    | ``401 ...`` | something has to be called first |
    | ``404 ...`` | there is no such name |
    | ``409 ...`` | too much or too little: the unit is another one; or this was not the errand |
    | ``422 ...`` | there is no such parameter |

    ## Starting State
    The first errand of a random order.

    ## Rewards
    ``1 / endpoints`` for the call that does the errand, else 0: a return is the share of errands done.

    ## Episode End
    Termination: when the last errand is done, or its calls are used up. There is no truncation.

    ## Information
    - ``info["candidates"]``: calls to choose among, 6 at level 1 (each name of a parameter), 9 at level 2 (three names,
      three units) and 7 at level 3 (two names, two units, three openings), in an order that the seed decides. Those
      that do the errand are among them.
    - ``info["situation"]``: the errand and what was called for it already, without answers and counts: the same text in
      the same situation, in every episode.
    - ``info["success"]``: whether every errand was done; False before the end.

    ## Arguments
    - ``task`` (0): which API; any integer from 0.
    - ``level`` (2): what is hidden, 1 to 3, as above.
    - ``endpoints`` (4): how many there are, 1 to 8.
    - ``calls`` (2): how many calls an errand allows, from 1, and from 2 at level 3.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/HiddenApi-v0", task=3)
    ```

    ## Optimum
    Who knows the API earns 1: ``optimal_return``. Candidates drawn at random do an errand of level 1 and 2 with chance
    ``1 - (1 - 1 / candidates) ** calls``.

    ## Version History
    - v0: first version
    """

    def __init__(
        self,
        task: int = 0,
        level: int = 2,
        endpoints: int = 4,
        calls: int = 2,
        *,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        super().__init__(render_mode=render_mode)
        self.task = checked_integer("task", task, low=0)
        self.level = checked_integer("level", level, low=1, high=3)
        number = checked_integer("endpoints", endpoints, low=1, high=len(_ENDPOINTS))
        self.calls = checked_integer("calls", calls, low=2 if self.level == 3 else 1)
        all_names = list(_ENDPOINTS)
        names = sorted(all_names, key=lambda name: draw(_FAMILY, self.task, 0, all_names.index(name)))
        self.endpoints = tuple(self._endpoint(place, name) for place, name in enumerate(names[:number]))
        self._order: list[int] = []
        self._calls_left = 0
        self._opened: set[str] = set()
        self._done = 0

    def _endpoint(self, place: int, name: str) -> Endpoint:
        """Draw what is hidden of an endpoint."""

        def drawn(what: int) -> int:
            return draw(_FAMILY, self.task, 1 + place, what)

        words, unit = _ENDPOINTS[name]
        amount = 2 + drawn(0) % 8
        parameters = sorted(_PARAMETERS, key=lambda each: drawn(10 + _PARAMETERS.index(each)))
        parameters = parameters[: (6, 3, 2)[self.level - 1]]
        scales = _SCALES[unit][: (1, 3, 2)[self.level - 1]]
        openings = (None, *_OPENINGS) if self.level == 3 else (None,)
        return Endpoint(
            name=name,
            errand=words.format(amount),
            amount=amount,
            parameters=tuple(parameters),
            parameter=parameters[drawn(2) % len(parameters)],
            scales=scales,
            scale=scales[drawn(3) % len(scales)],
            opening=openings[drawn(4) % len(openings)],
        )

    @property
    def candidate_count(self) -> int:
        """How many candidates there are."""
        return (6, 9, 7)[self.level - 1]

    @property
    def _present(self) -> Endpoint:
        return self.endpoints[self._order[0]]

    def _start(self) -> None:
        self._order = self.np_random.permutation(len(self.endpoints)).tolist()
        self._calls_left, self._done = self.calls, 0
        self._opened.clear()

    def _situation(self) -> str | None:
        if not self._order:
            return None
        names = ", ".join(sorted(each.name for each in self.endpoints))
        also = f", and to be called before them {', '.join(_OPENINGS)}" if self.level == 3 else ""
        opened = f"\nCalled already: {', '.join(sorted(self._opened))}." if self._opened else ""
        return (
            f"An API without documentation takes one call at a time: NAME PARAMETER=NUMBER. It has {names}{also}.\n"
            f"Errand: {self._present.errand}.{opened}"
        )

    def _left(self) -> str:
        return f"Calls left: {self._calls_left}"

    def _choices(self) -> Sequence[str]:
        now = self._present
        calls = [now.call(parameter, scale) for parameter in now.parameters for scale in now.scales]
        return calls + list(_OPENINGS) if self.level == 3 else calls

    def _reply(self, action: str) -> Reply:
        self._calls_left -= 1
        text, done = self._called(action)
        if done or self._calls_left == 0:
            self._done += done
            self._order.pop(0)
            self._calls_left = self.calls
            self._opened.clear()
        return Reply(text=text, reward=done / len(self.endpoints))

    def _called(self, action: str) -> tuple[str, bool]:
        """Return what the API answers, and whether that does the errand."""
        name = action.split(maxsplit=1)[0] if action.strip() else ""
        known = {each.name: each for each in self.endpoints}
        if self.level == 3 and action.strip() in _OPENINGS:
            self._opened.add(action.strip())
            return f"200 done: {action.strip()}", False
        if name not in known:
            return f"404 no such name: {name or 'nothing was called'}", False
        call, endpoint = _CALL.fullmatch(action), known[name]
        if call is None:
            return f"400 that is no call: write {name} PARAMETER=NUMBER", False
        if endpoint.opening is not None and endpoint.opening not in self._opened:
            return f"401 {name}: something has to be called first", False
        if call[2] != endpoint.parameter:
            return f"422 {name} has no parameter {call[2]}", False
        wanted, got = endpoint.amount * endpoint.scale, Fraction(call[3])
        if got != wanted:
            return f"409 {name}: {call[3]} is too {'much' if got > wanted else 'little'}", False
        if endpoint is not self._present:
            return f"409 {name}: that was not the errand", False
        return f"200 done: {name}", True

    def _succeeded(self) -> bool:
        return self._done == len(self.endpoints)


def _decimal(number: Fraction) -> str:
    """Return a number with as many digits as it needs."""
    return str(number.numerator) if number.denominator == 1 else f"{float(number):g}"
