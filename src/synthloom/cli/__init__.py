"""The command line: one file per verb. To add one: a file with a `run`, and a line in VERBS.

Nothing heavy is imported before a verb runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from synthloom import __version__
from synthloom.cli import (
    demo,
    encode,
    evaluate,
    fit,
    impute,
    info,
    interpolate,
    prepare,
    reconstruct,
    report,
    sample,
    score,
    studio,
    tune,
    vary,
)
from synthloom.errors import DataError, FileError, NotFittedError, SynthloomError, UsageError

__all__ = ["VERBS", "main"]

VERBS: dict[str, Callable[..., Any]] = {
    "demo": demo.run,
    "fit": fit.run,
    "sample": sample.run,
    "impute": impute.run,
    "reconstruct": reconstruct.run,
    "interpolate": interpolate.run,
    "vary": vary.run,
    "encode": encode.run,
    "score": score.run,
    "evaluate": evaluate.run,
    "report": report.run,
    "prepare": prepare.run,
    "tune": tune.run,
    "info": info.run,
    "studio": studio.run,
}

_UNUSABLE = (UsageError, DataError, FileError, NotFittedError)


def _app() -> typer.Typer:
    app = typer.Typer(
        name="synthloom",
        help="Synthetic data from variational autoencoders: fit a model on real data, hand out what it draws.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def options(
        version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
        debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    ) -> None:
        if version:
            typer.echo(f"synthloom {__version__}")
            raise typer.Exit

    for name, run in VERBS.items():
        app.command(name, no_args_is_help=name not in ("demo", "studio"))(run)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0; 1 a failure; 2 wrong usage or unusable data; 130 on Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # threads that wait for each other sleep rather than spin: on busy cores spinning makes small work many times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "--debug" in arguments:  # allowed anywhere, also after the verb
        arguments = ["--debug", *(a for a in arguments if a != "--debug")]
    try:
        return int(_app()(arguments, standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped")
        return 130
    except BrokenPipeError:  # whoever read our output has had enough; keep Python from complaining on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "--debug" in arguments:
            raise
        if hasattr(error, "format_message"):  # typer's own: a wrong option or argument
            _say(f"{error.format_message().rstrip('.')}; see --help")
            return 2
        known = isinstance(error, SynthloomError)
        _say(str(error) if known else f"{type(error).__name__}: {error} (an error of ours; --debug shows where)")
        return 2 if isinstance(error, _UNUSABLE) else 1


def _say(message: str) -> None:
    print(f"synthloom: {' '.join(message.split())}", file=sys.stderr)
