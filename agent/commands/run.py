"""``holdfast run``: an agent on a gymnasium task, from the command line."""

from __future__ import annotations

import math
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import click

from .checks import check_memory
from .env_arguments import check_flags, parsed

if TYPE_CHECKING:
    from ..history import EpisodeResult


@click.command()
@click.argument("env_id")
@click.option("--episodes", type=click.IntRange(min=1), default=100, show_default=True, help="How many to play.")
@click.option(
    "--memory",
    "path",
    type=click.Path(dir_okay=False),
    envvar="HOLDFAST_MEMORY",
    help="The memory file, made if new, else learned on. Without it nothing is kept. [env: HOLDFAST_MEMORY]",
)
@click.option("--namespace", default="default", show_default=True, help="Whose memory it is.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same run.")
@click.option("--env-arg", "env_args", multiple=True, metavar="KEY=VALUE", help="Argument of the environment.")
@click.option("--max-episode-steps", type=click.IntRange(min=1), help="Truncate episodes after so many steps.")
@click.option("--task", help="The name under which the memory keeps the task; by default the id and its arguments.")
@click.option(
    "--policy",
    default="recall",
    show_default=True,
    help="recall learns any task; retention:NAME is meta-trained (holdfast train), by name or folder; ppo; chat.",
)
@click.option("--model", help="For the policy chat: local, the default, or PROVIDER:MODEL as LangChain takes it.")
@click.option(
    "--discount",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="What the next decision's future is worth now: 0.99 by default, for recall and ppo; 0 for chat.",
)
@click.option("--frozen", is_flag=True, help="Act on what the memory holds; write nothing.")
@click.option("--no-recall", is_flag=True, help="Act without the memory, to see what it is worth.")
@click.option(
    "--gate",
    "admit",
    type=click.Choice(["both", "success"]),
    default="both",
    show_default=True,
    help="Write failures too, as evidence against, or successes only.",
)
@click.option("--ask", is_flag=True, help="Ask for a rating after each episode.")
@click.option("--hide-reward", is_flag=True, help="Learn from ratings alone (--ask, or holdfast feedback).")
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw the returns to this file (png, svg or pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--display",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="Progress on stderr: a live line on a terminal, plain lines, or none.",
)
def run(
    env_id: str,
    episodes: int,
    path: str | None,
    namespace: str,
    seed: int,
    env_args: tuple[str, ...],
    max_episode_steps: int | None,
    task: str | None,
    policy: str,
    model: str | None,
    discount: float | None,
    frozen: bool,
    no_recall: bool,
    admit: str,
    ask: bool,
    hide_reward: bool,
    plot: str | None,
    as_json: bool,
    display: str,
) -> None:
    """Run an agent on a gymnasium task.

    ENV_ID is a gymnasium id, or module:EnvId for an environment that your own module registers. Where actions are
    texts, the candidates that the environment names are chosen by number.

    \b
    Example:
      holdfast run FrozenLake-v1 --env-arg is_slippery=false --episodes 40 --memory lake.db
      holdfast run CartPole-v1 --episodes 90 --memory cart.db --plot cart.png
      holdfast run holdfast/DarkRoom-v0 --env-arg task=3 --episodes 8 --policy retention:dark-room
      holdfast run my_module:MyTextEnv-v0 --policy chat --model local --episodes 5 --memory text.db
      holdfast run my_module:MyEnv-v0 --seed 1 --json
    """
    check_memory(path, namespace)
    if ask and frozen:
        raise click.UsageError("--ask writes ratings and --frozen writes nothing: choose one")
    if discount is not None and policy.startswith("retention:"):
        raise click.UsageError(f"--discount is not for {policy}: what the future is worth was decided in training")
    if hide_reward and policy == "ppo":
        raise click.UsageError("--hide-reward is not for ppo: it learns from rewards alone")
    if discount is not None and math.isnan(discount):
        raise click.UsageError("--discount must lie between 0 and 1, got nan")
    if model is not None and policy != "chat":
        raise click.UsageError(f"--model is for the policy chat, not for {policy}: give --policy chat too")
    if frozen and path is None:
        raise click.UsageError("--frozen acts on what a memory holds: name its file with --memory")
    arguments = parsed(env_args)
    if plot is not None:
        from .plot import check_plot

        check_plot(plot)

    import torch

    from ..candidates import by_number
    from ..policies.named import make_policy
    from ..tasks import make_env
    from .session import Session

    torch.set_num_threads(1)  # the tensors are small, and sums of one thread are the same on every machine's count
    stdout = sys.stdout  # under --json one object is all that goes there: what environments print goes to stderr
    with (
        redirect_stdout(sys.stderr if as_json else stdout),
        make_env(env_id, arguments, max_episode_steps=max_episode_steps) as env,
    ):
        check_flags(env, arguments)
        session = Session(
            env=env if policy == "chat" else by_number(env),
            env_id=env_id,
            path=path,
            namespace=namespace,
            seed=seed,
            frozen=frozen,
            policy=make_policy(policy, enabled=not no_recall, discount=discount, model=model),
            task=task,
            admit="success" if admit == "success" else "both",
            reward="hidden" if hide_reward else "seen",
        )
        try:
            session.run(episodes, display="none" if display == "auto" and ask else display, rate=_ask if ask else None)
        finally:
            with redirect_stdout(stdout):
                session.report(as_json=as_json, plot=plot)


def _ask(result: EpisodeResult) -> float | None:
    """Ask for a rating on stderr; Enter, or the end of the input, leaves the episode unrated."""
    answers = {"u": 1.0, "up": 1.0, "d": -1.0, "down": -1.0, "": None}
    question = (
        f"episode {result.episode}: return {result.return_:g} in {result.length} steps. [u]p, [d]own, Enter to skip"
    )
    while True:
        click.echo(f"{question}: ", err=True, nl=False)
        answer = sys.stdin.readline().strip().lower()  # the end of the input reads as an empty line
        if answer in answers:
            return answers[answer]
        click.echo(f"{answer!r} is none of u, d and Enter", err=True)
