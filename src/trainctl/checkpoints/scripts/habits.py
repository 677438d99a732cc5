"""How a script trains, as its source shows it: by which framework, going on from what."""

from __future__ import annotations

import ast
import re

from trainctl.checkpoints.scripts.options import Source, keywords_of, name_of

# Functions that look for the newest checkpoint by names or numbers, whole or not.
_FINDERS = re.compile(
    r"get_last_checkpoint|(?:find|get)_?(?:the_)?(?:last|latest|newest)_?(?:checkpoint|ckpt)"
    r"|latest_checkpoint|restore_or_initialize|auto_resume",
    re.IGNORECASE,
)
_BY_ITSELF = {  # the call and its keyword, with the values that leave the search to the framework
    ("train", "resume_from_checkpoint"): (True,),
    ("fit", "ckpt_path"): ("last", "hpc"),
}


def imports(source: Source) -> frozenset[str]:
    """The packages that it imports from, by their first names."""
    found: set[str] = set()
    for node in source.nodes:
        match node:
            case ast.Import(names=aliases):
                found.update(alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
            case _:
                pass
    return frozenset(found)


def finds_newest(source: Source) -> bool:
    """Whether it looks for its newest checkpoint by itself, without being told to."""
    for call in source.calls():
        name = name_of(call.func)
        if _FINDERS.fullmatch(name):
            return True
        for keyword, value in keywords_of(call).items():
            match value:
                case ast.Constant(value=constant):
                    if constant in _BY_ITSELF.get((name, keyword), ()):
                        return True
                case _:
                    pass
    return False
