"""The settings of the recall head."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RecallConfig:
    """How templates are retrieved, attended and swept. One setting serves every task; nothing is chosen by its name.

    Attributes:
        enabled: False takes the memory away from acting: every read is the null slot's (an ablation).
        discount: of the future, per decision.
        null_mass: mass of the null slot for symbolic keys, in visits, where what follows an action varies.
        neighbours: how many templates of each action foretell where it leads, for real keys.
        landmarks: how many slots around that place tell what it is worth; no fewer than ``neighbours``.
        beta: how fast the attention falls with the squared distance of real keys. Distances are root mean squares over
            the dimensions, in units of each dimension's spread, so that one width serves few and many dimensions.
        null_distance: where the null slot stands: what is farther from everything met counts as unknown.
        capacity: the most slots of one task in memory.
        sweeps_after: sweeps after an episode, at most, for symbolic keys.
        sweeps_exact: sweeps after a decision within an episode, at most, for symbolic keys.
        backups: slots backed up per decision, at most, for real keys.
        learn_every: decisions between two times of doing so, for real keys.
        tolerance: sweeps stop when no value moves by more, relative to the largest value.
    """

    enabled: bool = True
    discount: float = 0.99
    null_mass: float = 0.6
    neighbours: int = 16
    landmarks: int = 32
    beta: float = 8.0
    null_distance: float = 0.75
    capacity: int = 30_000
    sweeps_after: int = 50
    sweeps_exact: int = 5
    backups: int = 128
    learn_every: int = 16
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: a value is out of its range.
        """
        if not 0.0 < self.discount < 1.0:
            raise ValueError(f"discount must lie in (0, 1), got {self.discount}")
        for name in ("null_mass", "beta", "null_distance"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        for name in ("neighbours", "capacity", "sweeps_after", "sweeps_exact", "backups", "learn_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.landmarks < self.neighbours:
            raise ValueError(f"landmarks must be at least neighbours ({self.neighbours}), got {self.landmarks}")
        if not self.tolerance >= 0.0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")
