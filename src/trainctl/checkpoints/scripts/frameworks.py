"""How each way of defining options looks in a script's source: one reader per way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from trainctl.checkpoints.scripts.options import (
    Option,
    Source,
    keywords_of,
    literal,
    name_of,
    text_of,
    texts_in,
    variable_in,
)

_FLAG_ACTIONS = {
    "store_true",
    "store_false",
    "store_const",
    "count",
    "help",
    "version",
    "BooleanOptionalAction",
}
_FOLDER_KEYWORDS = ("output_dir", "default_root_dir", "dirpath")
_RESUMING_CALLS = {("fit", "ckpt_path"), ("train", "resume_from_checkpoint")}
_HUGGING_FACE_PARSERS = {"HfArgumentParser", "TrlParser"}


def argparse_options(source: Source) -> Iterator[Option]:
    """`anything.add_argument("-o", "--out-dir", default="out")`; positionals are not listed."""
    for call in source.calls():
        flags = _flags(call)
        if not (
            isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument" and flags
        ):
            continue
        given = keywords_of(call)
        action = text_of(given.get("action")) or name_of(given.get("action"))
        yield Option(
            flags=flags,
            dest=text_of(given.get("dest")) or _dest(flags),
            default=literal(given.get("default"), source.constants),
            takes_value=action not in _FLAG_ACTIONS,
            choices=texts_in(given.get("choices")),
            type=name_of(given.get("type")),
            help=text_of(given.get("help")),
            required=literal(given.get("required"), source.constants) is True,
            variable=variable_in(given.get("default")),
        )


def click_options(source: Source) -> Iterator[Option]:
    """`@click.option("--resume", "resume_path", type=click.Path())`."""
    for call in source.calls():
        flags = _flags(call)
        if name_of(call.func) != "option" or not flags:
            continue
        given = keywords_of(call)
        switch = any("/" in flag for flag in flags) or "is_flag" in given or "count" in given
        kind = given.get("type")
        is_choice = isinstance(kind, ast.Call) and name_of(kind.func) == "Choice" and kind.args
        yield Option(
            flags=tuple(part for flag in flags for part in flag.split("/")),
            dest=next((text_of(arg) for arg in call.args if text_of(arg).isidentifier()), "")
            or _dest(flags[0].split("/")),
            default=literal(given.get("default"), source.constants),
            takes_value=not switch,
            choices=texts_in(kind.args[0]) if isinstance(kind, ast.Call) and is_choice else (),
            type=name_of(kind.func if isinstance(kind, ast.Call) else kind),
            help=text_of(given.get("help")),
            reader="click",
            required=literal(given.get("required"), source.constants) is True,
            variable=variable_in(given.get("default")),
        )


def typer_options(source: Source) -> Iterator[Option]:
    """Parameters of functions that `typer.run(...)` or `@app.command()` makes commands of."""
    if not _imports(source, "typer"):
        return
    run = {
        name_of(arg) for call in source.calls() if name_of(call.func) == "run" for arg in call.args
    }
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef) and (node.name in run or _is_command(node)):
            yield from _parameters(node, source)


def _parameters(function: ast.FunctionDef, source: Source) -> Iterator[Option]:
    spec = function.args
    defaults = [None] * (len(spec.args) - len(spec.defaults)) + list(spec.defaults)
    pairs = [
        *zip(spec.args, defaults, strict=True),
        *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
    ]
    for parameter, default in pairs:
        call = _typer_call(default) or _typer_call(parameter.annotation)
        if default is None or (call is not None and name_of(call.func) == "Argument"):
            continue
        value = default
        if call is not None and default is call:
            value = call.args[0] if call.args else None
        kind = _kind(parameter.annotation)
        flags = _flags(call) if call is not None else ()
        yield Option(
            flags=flags or ("--" + parameter.arg.replace("_", "-"),),
            dest=parameter.arg,
            default=literal(value, source.constants),
            takes_value=kind != "bool",
            type=kind,
            help=text_of(keywords_of(call).get("help")) if call is not None else "",
            reader="typer",
            variable=variable_in(value),
        )


def absl_options(source: Source) -> Iterator[Option]:
    """`flags.DEFINE_string("workdir", None, "Where checkpoints go.")`."""
    for call in source.calls():
        name = text_of(call.args[0]) if call.args else ""
        if not (name_of(call.func).startswith("DEFINE_") and name):
            continue
        kind = name_of(call.func).removeprefix("DEFINE_")
        default = call.args[1] if len(call.args) > 1 else keywords_of(call).get("default")
        yield Option(
            flags=("--" + name,),
            dest=name,
            default=literal(default, source.constants),
            takes_value=kind not in {"bool", "boolean"},
            type="str" if kind == "string" else kind,
            help=text_of(call.args[2]) if len(call.args) > 2 else "",
            reader="absl",
            variable=variable_in(default),
        )


def hugging_face_options(source: Source) -> Iterator[Option]:
    """`HfArgumentParser((ScriptArguments, TrainingArguments))`: the fields are the options.

    `--resume_from_checkpoint` is listed only where the script names it: Trainer itself ignores
    the field, and leaves it to the script (transformers, TrainingArguments).
    """
    if not any(name_of(call.func) in _HUGGING_FACE_PARSERS for call in source.calls()):
        return
    names = {name_of(node) for node in source.nodes}
    fields = [option for node in source.nodes for option in _fields(node, source)]
    yield from fields
    taken = {option.dest for option in fields}
    if any(name.endswith(("TrainingArguments", "Config")) for name in names):
        if "output_dir" not in taken:
            yield _field("output_dir", default="trainer_output")
        if "resume_from_checkpoint" in names - taken:
            yield _field("resume_from_checkpoint")


def _fields(node: ast.AST, source: Source) -> Iterator[Option]:
    if not (isinstance(node, ast.ClassDef) and any(map(_is_dataclass, node.decorator_list))):
        return
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                given = keywords_of(value) if isinstance(value, ast.Call) else {}
                default = given.get("default", value)
                yield _field(name, literal(default, source.constants), _kind(annotation))
            case _:
                pass


def _field(name: str, default: str | float | None = None, kind: str = "str") -> Option:
    spelled = tuple(dict.fromkeys(("--" + name, "--" + name.replace("_", "-"))))
    return Option(
        flags=spelled,
        dest=name,
        default=default,
        takes_value=kind != "bool",
        type=kind,
        reader="huggingface",
    )


def lightning_options(source: Source) -> Iterator[Option]:
    if any(name_of(call.func) == "LightningCLI" for call in source.calls()):
        yield Option(("--ckpt_path",), "ckpt_path", reader="lightning")
        yield Option(("--trainer.default_root_dir",), "default_root_dir", reader="lightning")


def configurator_options(source: Source) -> Iterator[Option]:
    """As in nanoGPT: `exec(open('configurator.py').read())` lets `--name=value` set constants."""
    executed = [call for call in source.calls() if name_of(call.func) == "exec"]
    texts = {text_of(node) for call in executed for node in ast.walk(call)}
    if not any(text.endswith("configurator.py") for text in texts):
        return
    for name, value in source.constants.items():
        default = literal(value, source.constants)
        if default is not None and not name.startswith("_"):
            yield Option(
                ("--" + name,), name, default, type=type(default).__name__, reader="configurator"
            )


def constant_folders(source: Source) -> Iterator[Option]:
    """`TrainingArguments(output_dir="out")`: no option, but where the checkpoints will be."""
    for call in source.calls():
        given = keywords_of(call)
        for name in _FOLDER_KEYWORDS:
            value = literal(given.get(name), source.constants)
            if isinstance(value, str) and value:
                yield Option((), name, value, reader="constant", variable=variable_in(given[name]))


def resumed_names(source: Source) -> frozenset[str]:
    """The names in what is given to `fit(ckpt_path=...)`, `train(resume_from_checkpoint=...)`."""
    values = [
        value
        for call in source.calls()
        for name, value in keywords_of(call).items()
        if (name_of(call.func), name) in _RESUMING_CALLS
    ]
    return frozenset(name_of(node) for value in values for node in ast.walk(value)) - {""}


READERS: tuple[Callable[[Source], Iterator[Option]], ...] = (
    argparse_options,
    click_options,
    typer_options,
    absl_options,
    hugging_face_options,
    lightning_options,
    configurator_options,
    constant_folders,
)


def _flags(call: ast.Call) -> tuple[str, ...]:
    texts = (text_of(arg) for arg in call.args)
    return tuple(text for text in texts if text.startswith("-") and text.strip("-"))


def _dest(flags: list[str] | tuple[str, ...]) -> str:
    chosen = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return chosen.lstrip("-").replace("-", "_")


def _imports(source: Source, module: str) -> bool:
    for node in source.nodes:
        if isinstance(node, ast.Import) and any(alias.name == module for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == module:
            return True
    return False


def _is_command(function: ast.FunctionDef) -> bool:
    called = (
        node.func if isinstance(node, ast.Call) else node for node in function.decorator_list
    )
    return any(name_of(node) in {"command", "callback"} for node in called)


def _is_dataclass(decorator: ast.expr) -> bool:
    return name_of(decorator.func if isinstance(decorator, ast.Call) else decorator) == "dataclass"


def _typer_call(node: ast.AST | None) -> ast.Call | None:
    """`typer.Option(...)` or `typer.Argument(...)`, bare or inside `Annotated[...]`."""
    for part in ast.walk(node) if node is not None else ():
        if isinstance(part, ast.Call) and name_of(part.func) in {"Option", "Argument"}:
            return part
    return None


def _kind(annotation: ast.expr | None) -> str:
    """`Path` for `Path`, `Optional[Path]`, `Path | None` and `Annotated[Path, ...]` alike."""
    for part in ast.walk(annotation) if annotation is not None else ():
        name = name_of(part)
        if name and name not in {"Optional", "Annotated", "Union"}:
            return name
    return "str"
