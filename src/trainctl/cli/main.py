"""Parse, run one command, and turn every error into a message and an exit code: the boundary."""

from __future__ import annotations

import importlib
import os
import sys
from typing import cast

import click

from trainctl.cli import output
from trainctl.cli.table import BY_NAME, COMMANDS, page
from trainctl.errors import TrainctlError, UsageError

INTERRUPTED = 130
BROKEN_PIPE = 141
_CARRIERS = ("run", "local", "resume", "rerun")  # a --json in their words may be the script's


class LazyGroup(click.Group):
    """Imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = BY_NAME.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"trainctl.cli.{entry.module}")
        return cast("click.Command", getattr(module, f"{entry.name}_command"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in BY_NAME:
            raise UsageError(f"there is no command {args[0]!r}", hint=_meant(args[0]))
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from trainctl.version import __version__

        formatter.write(page(__version__))


def _meant(word: str) -> str:
    if word.endswith(".py") or os.path.exists(word):
        return f"trainctl run {word}"
    import difflib

    close = difflib.get_close_matches(word, list(BY_NAME), 1, 0.5)
    return f"did you mean trainctl {close[0]}?" if close else "trainctl --help"


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    None, "-V", "--version", package_name="trainctl", message="trainctl %(version)s"
)
@click.pass_context
def group(ctx: click.Context) -> None:
    """Run ML training with one record, one log and one list of checkpoints."""
    if ctx.invoked_subcommand is None:
        from trainctl.cli import overview, stand

        overview.show(stand.here())


def run(words: list[str]) -> int:
    """Run a command line; the exit code is returned, never raised."""
    wants_json = "--json" in words and words[0] not in _CARRIERS
    try:
        # main() would eat broken pipes
        with group.make_context("trainctl", list(words), terminal_width=_width()) as context:
            code = group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except TrainctlError as error:
        return _told(error, as_json=wants_json)
    except click.ClickException as error:
        return _told(_as_ours(error, words), as_json=wants_json)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes stdout once more
        return BROKEN_PIPE
    except OSError as error:
        if os.environ.get("TRAINCTL_DEBUG"):
            raise
        return _told(_as_disk_error(error), as_json=wants_json)
    return int(code or 0)


def _width() -> int:
    """How wide help is: as click has it, without the 4 ms that importing shutil takes it."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        try:
            columns = os.get_terminal_size(1).columns or 80
        except OSError:
            columns = 80
    return max(min(columns, 80) - 2, 50)


def _told(error: TrainctlError, *, as_json: bool) -> int:
    if os.environ.get("TRAINCTL_DEBUG"):
        raise error
    code = int(getattr(error, "foreground_code", error.exit_code))
    if as_json:
        output.print_json_error(error, code)
    else:
        output.print_error(error)
    return code


def _as_ours(error: click.ClickException, words: list[str]) -> UsageError:
    """Click knows which option was meant; we say it as we say everything else."""
    context = getattr(error, "ctx", None)
    named = f"trainctl {words[0]}" if words[:1] and words[0] in BY_NAME else "trainctl"
    where = context.command_path if context is not None else named
    ours = _in_our_words(error, where)
    code = getattr(error, "foreground_code", None)
    if code is not None:
        ours.foreground_code = code  # type: ignore[attr-defined]
    return ours


def _in_our_words(error: click.ClickException, where: str) -> UsageError:
    hint = f"{where} --help"
    meant = cast("list[str]", getattr(error, "possibilities", None) or [])
    if isinstance(error, click.NoSuchOption):
        if meant:
            hint = f"did you mean {_closest(error.option_name, meant)}? See {where} --help"
        return UsageError(f"{where} has no option {error.option_name}", hint=hint)
    text = error.format_message().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], hint=hint)


def _closest(word: str, known: list[str]) -> str:
    import difflib

    return difflib.get_close_matches(word, known, 1, 0)[0]


def _as_disk_error(error: OSError) -> TrainctlError:
    """A disk that is full or fails: what was acknowledged before stays as it is."""
    what = (
        f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    )
    return TrainctlError(what, hint="df -h; then trainctl doctor")
