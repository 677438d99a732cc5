"""The NVIDIA cards here: NVML through ctypes, else nvidia-smi with a time limit, else none."""

from __future__ import annotations

import ctypes
import math
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

ASK_SECONDS = 10.0  # nvidia-smi hangs for ever when a card has fallen off the bus
_QUERY = "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw"
_MIB = 1024 * 1024


class Card(NamedTuple):
    id: str  # as CUDA_VISIBLE_DEVICES and nvidia-smi name it
    uuid: str
    name: str
    memory_total_bytes: int
    memory_used_bytes: int
    utilization_percent: Optional[float]
    temperature_celsius: Optional[float]
    power_watts: Optional[float]


class Cards(NamedTuple):
    """What was found; `trouble` says why nothing could be; None where there simply is none."""

    cards: List[Card]
    trouble: Optional[str]


class Asker:
    """Asks the driver in a thread of its own, and asks nothing more while it does not answer."""

    def __init__(self, ask: Callable[[], Cards]) -> None:
        self._ask = ask
        self._thread: Optional[threading.Thread] = None
        self._since = 0.0
        self._last = Cards([], "the NVIDIA driver has not answered yet")

    def look(self, patience_seconds: float) -> Cards:
        """The cards now; the last answer where the driver takes longer than the patience."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._note, daemon=True)
            self._since = time.monotonic()
            self._thread.start()
        self._thread.join(patience_seconds)
        waited = time.monotonic() - self._since
        if self._thread.is_alive() and waited > ASK_SECONDS:
            return self._last._replace(trouble=f"the NVIDIA driver is silent for {waited:.0f} s")
        return self._last

    def _note(self) -> None:
        try:
            self._last = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever a driver does, the run goes on
            self._last = Cards([], f"the NVIDIA driver: {error!r}")


def look(patience_seconds: float = ASK_SECONDS + 1) -> Cards:
    """The cards and how busy they are, in bounded time."""
    return _asker.look(patience_seconds)


def _ask() -> Cards:
    try:
        if not _library:
            _library.append(_Nvml())
        return Cards(_library[0].cards(), None)
    except OSError:
        return _ask_nvidia_smi()


_asker = Asker(_ask)
_library: List[_Nvml] = []  # initialising NVML costs more than all it is asked


def _ask_nvidia_smi() -> Cards:
    import subprocess

    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=ASK_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return Cards([], None)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Cards([], f"nvidia-smi: {error}")
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        return Cards([], f"nvidia-smi failed: {text.strip()[:200]}")
    return parse_nvidia_smi(text)


def parse_nvidia_smi(text: str) -> Cards:
    """Read the CSV of `--query-gpu`; a line that is not understood is trouble, not a card."""
    cards: List[Card] = []
    for line in text.splitlines():
        row = [cell.strip() for cell in line.split(",")]
        if not line.strip():
            continue
        if len(row) != 8 or not row[0].isdigit():
            return Cards([], f"nvidia-smi said something unexpected: {line[:100]!r}")
        numbers = [_number(cell) for cell in row[3:]]
        cards.append(
            Card(
                id=row[0],
                uuid=row[1],
                name=row[2],
                memory_total_bytes=int((numbers[0] or 0) * _MIB),
                memory_used_bytes=int((numbers[1] or 0) * _MIB),
                utilization_percent=numbers[2],
                temperature_celsius=numbers[3],
                power_watts=numbers[4],
            )
        )
    return Cards(cards, None)


def _number(cell: str) -> Optional[float]:
    try:
        number = float(cell)
    except ValueError:  # "[N/A]": this card does not tell
        return None
    return number if math.isfinite(number) else None


class _Memory(ctypes.Structure):
    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class _Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Nvml:
    """The few calls of the NVIDIA Management Library that a sample needs.

    Source: the NVML API reference, device queries. Raises OSError where there is no library or
    no driver.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libnvidia-ml.so.1")
        self._call("nvmlInit_v2")

    def cards(self) -> List[Card]:
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        return [self._card(index) for index in range(count.value)]

    def _card(self, index: int) -> Card:
        handle = ctypes.c_void_p()
        self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        memory = _Memory()
        self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        utilization = _Utilization()
        knows = self._try("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(utilization))
        temperature, milliwatts = ctypes.c_uint(), ctypes.c_uint()
        warm = self._try(
            "nvmlDeviceGetTemperature", handle, ctypes.c_uint(0), ctypes.byref(temperature)
        )
        draws = self._try("nvmlDeviceGetPowerUsage", handle, ctypes.byref(milliwatts))
        return Card(
            id=str(index),
            uuid=self._text("nvmlDeviceGetUUID", handle),
            name=self._text("nvmlDeviceGetName", handle),
            memory_total_bytes=int(memory.total),
            memory_used_bytes=int(memory.used),
            utilization_percent=float(utilization.gpu) if knows else None,
            temperature_celsius=float(temperature.value) if warm else None,
            power_watts=milliwatts.value / 1000 if draws else None,
        )

    def _text(self, function: str, handle: ctypes.c_void_p) -> str:
        buffer = ctypes.create_string_buffer(96)
        self._call(function, handle, buffer, ctypes.c_uint(96))
        return buffer.value.decode(errors="replace")

    def _try(self, function: str, *arguments: Any) -> bool:
        try:
            self._call(function, *arguments)
        except OSError:
            return False
        return True

    def _call(self, function: str, *arguments: Any) -> None:
        try:
            code = int(getattr(self._library, function)(*arguments))
        except AttributeError as error:
            raise OSError(f"NVML lacks {function}") from error
        if code != 0:
            raise OSError(code, f"NVML: {function} failed with {code}")


def visible(cards: List[Card], environment: Dict[str, str]) -> List[str]:
    """The ids of the cards that a process with this environment may use."""
    limited = environment.get("CUDA_VISIBLE_DEVICES")
    if limited is None:
        return [card.id for card in cards]
    found: List[str] = []
    for word in limited.replace(" ", "").split(","):
        name = _canonical(word, cards)
        if name is None:
            break  # as CUDA has it: what stands after the first that is none is not visible
        found.append(name)
    return found


def _canonical(word: str, cards: List[Card]) -> Optional[str]:
    """One name a card: a lock by number and one by UUID would let two runs share it."""
    if word.startswith("MIG-"):
        return word
    for card in cards:
        if word == card.id or (word.startswith("GPU-") and card.uuid.startswith(word)):
            return card.id
    return None
