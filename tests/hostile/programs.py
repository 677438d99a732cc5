"""Pickles that run something when they are loaded, in every way that passed a scanner."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.hostile import pickling
from tests.hostile.case import CODE, MALFORMED, Case
from tests.hostile.pickling import PROTO, call, name, number, run, text
from tests.hostile.zipping import torch_zip

# Each is enough to run a program, or to read or change files; most are on no scanner's list.
NAMES = """
    os.system posix.system nt.system os.execv subprocess.Popen subprocess.check_output
    builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.open
    builtins.getattr __builtin__.eval __builtin__.execfile cProfile.run profile.run ctypes.CDLL
    _ctypes.dlopen importlib.import_module importlib._bootstrap._gcd_import linecache.getline
    timeit.timeit urllib.request.urlopen pkgutil.resolve_name pip.main pip._internal.main
    functools.partial functools.reduce operator.attrgetter operator.methodcaller runpy.run_path
    code.interact pdb.run bdb.Bdb.run trace.Trace.run doctest.debug_script webbrowser.open
    shutil.rmtree socket.create_connection asyncio.unix_events._UnixSubprocessTransport._start
    multiprocessing.util.spawnv_passfds logging.config.listen pydoc.pipepager venv.create
    ensurepip._run_pip lib2to3.pgen2.grammar.Grammar.loads
    idlelib.pyshell.ModifiedInterpreter.runcode types.FunctionType types.CodeType
    copyreg.__newobj__ pickle.loads _pickle.loads marshal.loads shelve.open dill.loads
    joblib.load numpy.load numpy.testing._private.utils.runstring torch.load torch.hub.load
    torch.storage._load_from_bytes torch.jit.unsupported_tensor_ops.execWrapper
    torch.utils._config_module.load_config torch._dynamo.guards.GuardBuilder.get
    torch.serialization.load torch.nn.modules.linear.Linear collections.namedtuple
    collections._make_class_unused __main__.Model models.yolo.Detect
""".split()  # noqa: SIM905  # a list of names, to be read as one

CALL = call("os", "system", text("touch /tmp/canary"))


def cases() -> Iterator[Case]:
    for dotted in NAMES:
        module, _, attribute = dotted.rpartition(".")
        data = torch_zip(run(module, attribute, "touch /tmp/canary"))
        yield Case(f"calls {dotted}", data, CODE, imports=(dotted,))
    for title, pickle, imports in _shapes():
        yield Case(title, torch_zip(pickle), CODE, imports=imports)
    for title, pickle, says in _broken():
        yield Case(title, torch_zip(pickle), MALFORMED, says, ("os.system",))


def _shapes() -> Iterator[tuple[str, bytes, tuple[str, ...]]]:
    """Ways to name, to call and to hide."""
    system = ("os.system",)
    yield "a call whose result is dropped", PROTO + CALL + b"0}.", system
    yield "a call below a mark that is dropped", PROTO + b"(" + CALL + b"1}.", system
    yield "a name that is never called", PROTO + name("os", "system") + b"0}.", system
    yield "a name from texts in the memo", _from_memo(), system
    yield "a name across protocols", b"\x80\x04" + b"Vos\nVsystem\n\x93(Vid\ntR.", system
    yield "a name of old texts", b"\x80\x04" + b"S'\\x6fs'\nS'system'\n\x93)R.", system
    yield (
        "an attribute by a dotted name",
        DOTTED,
        ("collections.OrderedDict.__init__.__globals__",),
    )
    yield "INST", b"(S'id'\nios\nsystem\n.", system
    yield "OBJ", b"(" + name("os", "system") + b"S'id'\no.", system
    yield "NEWOBJ", PROTO + name("subprocess", "Popen") + b"(Vid\nt\x81.", ("subprocess.Popen",)
    yield "NEWOBJ_EX", PROTO + name("os", "system") + b"(Vid\nt}\x92.", system
    yield "BUILD on a class", PROTO + name("torch", "Size") + b"}(Vx\nNub.", ("torch.Size",)
    yield "a call of what a call made", PROTO + HIDDEN + b"(Vid\ntR.", ("torch.Size",)
    yield "a codec of one's own", run("_codecs", "encode", "x", "my-codec"), ("_codecs.encode",)
    yield "a huge bytearray", PROTO + call("builtins", "bytearray", number(1 << 40)) + b".", ()
    yield "a huge storage", PROTO + call("torch", "FloatStorage", number(1 << 40)) + b".", ()
    yield (
        "a rebuilder that calls another",
        PROTO
        + call(
            "torch._tensor", "_rebuild_from_type_v2", name("_codecs", "encode"), b"N", b")", b"N"
        )
        + b".",
        (),
    )
    yield (
        "an array of another class",
        PROTO
        + call("numpy.core.multiarray", "_reconstruct", name("torch", "Size"), b")", b"N")
        + b".",
        (),
    )
    yield (
        "copyreg with a base",
        PROTO
        + call("copyreg", "_reconstructor", name("torch", "Size"), name("builtins", "list"), b"]")
        + b".",
        (),
    )
    yield "beside honest tensors", pickling.state(model=pickling.tensor(), x=CALL), system


DOTTED = b"\x80\x04" + text("collections") + text("OrderedDict.__init__.__globals__") + b"\x93."
HUGE = bytes(8192) + b"0"
HIDDEN = call("torch", "Size", b")")


def _from_memo() -> bytes:
    """The texts are stored long before, in the wrong order, among others."""
    texts = text("system") + b"q\x070" + text("os") + b"q\x030" + text("json") + b"0"
    return b"\x80\x04" + texts + b"h\x03h\x07\x93" + b"(Vid\ntR."


def _broken() -> Iterator[tuple[str, bytes, str]]:
    """The payload runs before a loader sees that the rest is broken."""
    yield "a payload before garbage", PROTO + CALL + b"\xff\xff\xff", "no operation 0xff"
    yield "a payload before nothing", PROTO + CALL, "cut off"
    yield "a payload before an empty stack", PROTO + CALL + b"00.", "not there"
    yield "a payload before a wrong append", PROTO + CALL + b"}Na.", "appends"
    yield "a payload after a wrong append", PROTO + b"}Na0" + CALL + b".", "appends"
    yield "a payload after a wrong state", PROTO + b"]}b0" + CALL + b".", "gives a state"
    yield "a payload after a huge number", PROTO + b"\x8b\0\x20\0\0" + HUGE + CALL + b".", "8192"
    yield "a payload in a frame that is cut", _cut_frame(), "a frame"
    yield "a payload, then a second stream", PROTO + CALL + b"." + PROTO + b"N.", "follow"
    yield "a payload, then an extension", PROTO + CALL + b"\x82\x01.", "extension of code 1"
    yield "a payload, then a wide extension", PROTO + CALL + b"\x84\x01\0\0\x7f.", "extension"
    yield "a payload, then a buffer", b"\x80\x05" + CALL + b"\x97\x98.", "a buffer"


def _cut_frame() -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", 10_000) + CALL + b"."
