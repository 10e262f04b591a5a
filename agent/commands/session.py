"""One run from the command line: the agent, what is shown while it plays, and what is said at the end."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, final

import click
import gymnasium
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from retention import FeedbackGate, GateConfig

from ..agent import Agent
from ..history import EpisodeResult, History
from ..policies.named import DEFAULT
from ..policies.protocol import Policy
from .live import progress_line
from .notices import notices

_LAST = 20  # episodes in the score at the end


@final
class Session:
    """Holds an agent and the episodes it has finished, also when the run ends early."""

    def __init__(
        self,
        *,
        env: gymnasium.Env[Any, Any],
        env_id: str,
        path: str | None,
        namespace: str,
        seed: int,
        frozen: bool,
        policy: Policy,
        task: str | None,
        admit: Literal["both", "success"],
        reward: Literal["seen", "hidden"],
    ) -> None:
        """Open the memory and put an agent on it; the arguments are those of the command."""
        self._env, self._env_id, self._path, self._task = env, env_id, path, task
        self._results: list[EpisodeResult] = []
        self._started = time.perf_counter()
        self._templates = 0
        self._agent = Agent.open(
            path,
            namespace=namespace,
            policy=policy,
            gate=FeedbackGate(GateConfig(admit=admit)),
            seed=seed,
            frozen=frozen,
            reward=reward,
        )

    def run(self, episodes: int, *, display: str, rate: Callable[[EpisodeResult], float | None] | None) -> None:
        """Play the episodes.

        Args:
            episodes: how many.
            display: ``auto``, ``plain`` or ``none``.
            rate: asked for a rating of each episode; None for no asking.
        """
        scope = self._agent.bind(self._env, task=self._task)
        self._templates = self._agent.template_count
        agent = self._agent
        for notice in notices(agent.memory, agent.policy, namespace=agent.namespace, task=scope, frozen=agent.frozen):
            click.echo(f"holdfast: {notice}", err=True)
        with progress_line(episodes, display) as advance:

            def finished(result: EpisodeResult) -> None:
                self._results.append(result)
                self._templates = self._agent.template_count
                advance(result, self._templates)
                rating = rate(result) if rate is not None else None
                if rating is not None and result.episode_id is not None:
                    told = self._agent.feedback(result.episode_id, rating=rating)
                    self._results[-1] = replace(result, gate=told.gate.signed)

            self._agent.run(self._env, episodes=episodes, task=self._task, on_episode=finished)

    def report(self, *, as_json: bool, plot: str | None) -> None:
        """Say what was reached, draw it, and close the memory."""
        seconds = time.perf_counter() - self._started
        try:
            if as_json:
                click.echo(json.dumps(self._object(seconds)))
            elif self._results:
                self._panel(seconds, plot)
            if plot is not None and self._results:
                self._draw(plot)
        finally:
            self._agent.close()

    @property
    def _history(self) -> History:
        return History(tuple(self._results))

    def _object(self, seconds: float) -> dict[str, Any]:
        return {
            "env": self._env_id,
            "seed": self._agent.seed,
            "namespace": self._agent.namespace,
            "memory": self._path,
            "frozen": self._agent.frozen,
            "env_steps": self._history.env_steps,
            "templates": self._templates,
            "seconds": round(seconds, 3),
            "episodes": [
                {
                    "episode": each.episode,
                    "episode_id": each.episode_id,
                    "return": each.return_,
                    "length": each.length,
                    "gate": each.gate,
                    "written": each.written,
                }
                for each in self._results
            ],
        }

    def _panel(self, seconds: float, plot: str | None) -> None:
        returns = self._history.returns
        last = returns[-_LAST:]
        rows = Table.grid(padding=(0, 2))
        rows.add_column(no_wrap=True)
        rows.add_column(overflow="fold")
        first, newest = self._results[0], self._results[-1]
        rows.add_row(
            "episodes", f"{len(returns)} (number {first.episode} to {newest.episode}), seed {self._agent.seed}"
        )
        rows.add_row(
            "return", f"mean {returns.mean():.4g}, last {len(last)}: {last.mean():.4g}, best {returns.max():.4g}"
        )
        rows.add_row("steps", f"{self._history.env_steps:,} in {seconds:.1f} s")
        kept = f"in {self._path}, namespace {self._agent.namespace}" if self._path else "not kept"
        rows.add_row("templates", escape(f"{self._templates:,} {kept}{', frozen' if self._agent.frozen else ''}"))
        if plot is not None:
            rows.add_row("plot", escape(plot))
        console = Console(highlight=False)
        console.print(Panel(rows, title=escape(self._env_id), title_align="left", expand=False))
        for what, command in self._next(newest):
            click.echo(f"{what:<10}{command}")

    def _next(self, newest: EpisodeResult) -> list[tuple[str, str]]:
        """Return the commands that come next, each with what it is for."""
        given = click.get_current_context().params
        words = ["holdfast", "run", self._env_id]
        for each in given["env_args"]:
            words += ["--env-arg", each]
        if given["max_episode_steps"] is not None:
            words += ["--max-episode-steps", str(given["max_episode_steps"])]
        if self._task is not None:
            words += ["--task", self._task]
        if given["policy"] != DEFAULT:
            words += ["--policy", given["policy"]]
        if given["model"] is not None:
            words += ["--model", given["model"]]
        if given["discount"] is not None:
            words += ["--discount", str(given["discount"])]
        if given["admit"] != GateConfig.admit:
            words += ["--gate", given["admit"]]
        if given["hide_reward"]:
            words += ["--hide-reward"]
        if self._path is None:
            return [("keep it:", shlex.join([*words, "--memory", "memory.db"]))]
        words += ["--memory", self._path]
        if self._agent.namespace != "default":
            words += ["--namespace", self._agent.namespace]
        if self._agent.frozen:
            return [("learn on:", shlex.join(words))]
        rate = ["holdfast", "feedback", self._path, newest.episode_id or "", "up"]
        return [
            ("go on:", shlex.join(words)),
            ("use it:", shlex.join([*words, "--frozen"])),
            ("rate it:", shlex.join(rate)),
        ]

    def _draw(self, plot: str) -> None:
        from .plot import draw_returns

        earlier = [
            each.return_
            for each in self._agent.memory.episodes(namespace=self._agent.namespace, task=self._agent.task)
            if each.number < self._results[0].episode
        ]
        draw_returns(
            Path(plot),
            earlier=np.array(earlier),
            returns=self._history.returns,
            title=self._env_id,
            frozen=self._agent.frozen,
        )
