"""Weights as Hugging Face's libraries save them: whole, in shards with an index, as an adapter.

Source: transformers 5.23.0, modeling_utils.py; peft 0.21.2, utils/save_and_load.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainctl.checkpoints.formats.files import flaws_of, read_files, verify_files
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar, Tensor
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.source import Source

_INDEX = (".safetensors.index.json", ".bin.index.json")
_CONFIGS = ("config.json", "adapter_config.json")
_PIPELINE = "model_index.json"  # of diffusers: a folder for each model


class Sharded:
    name = "pretrained"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        has_config = any(name in files for name in (*_CONFIGS, _PIPELINE))
        return has_config or any(map(_is_index, files))

    def inspect(self, source: Source) -> Inspection:
        files = source.files()
        inner = _PIPELINE in files
        parts = read_files(source, [name for name in files if inner or "/" not in name])
        findings = Findings()
        for finding in (*flaws_of(source, parts), *check_indexes(source, parts.tensors)):
            findings.append(finding)
        framework, version, scalars = read_configs(source)
        return Inspection(
            self.name,
            framework=framework,
            version=version,
            tensors=parts.tensors,
            scalars={**scalars, **parts.scalars},
            has_optimizer=parts.has_optimizer,
            imports=parts.imports,
            verdict=parts.verdict,
            findings=tuple(findings),
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        if inspection.framework == "peft":
            return Resuming(
                "PeftModel.from_pretrained(model, FOLDER, is_trainable=True)", "folder"
            )
        return Resuming("AutoModel.from_pretrained(FOLDER): weights alone, from step 0", "folder")

    def verify(self, source: Source) -> list[str]:
        return verify_files(source, source.files().keys())


def _is_index(name: str) -> bool:
    return name.endswith(_INDEX) and "/" not in name


def read_configs(source: Source) -> tuple[str, str, dict[str, Scalar]]:
    """Framework, version and settings, as `config.json` and `adapter_config.json` tell them."""
    framework, version, scalars = "", "", dict[str, Scalar]()
    for name in _CONFIGS:
        if name not in source.files():
            continue
        told = documents.read_object(source, name).value
        scalars.update(documents.scalars(told, f"{name.removesuffix('.json')}."))
        is_adapter = name.startswith("adapter")
        key = "peft_version" if is_adapter else "transformers_version"
        version = str(told.get(key) or version)[:50]
        framework = "peft" if is_adapter else "transformers" if version else ""
    return framework, version, scalars


def check_indexes(source: Source, tensors: tuple[Tensor, ...]) -> Iterator[str]:
    """Where an index and its shards do not say the same."""
    places = {(tensor.name, tensor.file): tensor for tensor in tensors}
    for name in sorted(filter(_is_index, source.files())):
        document = documents.read_object(source, name)
        yield from document.findings
        shards = documents.members(document.value.get("weight_map"))
        if not shards and not document.findings:
            yield f"{name} names no shards"
        yield from _check_shards(source, name, shards)
        yield from _check_places(name, shards, places)
        yield from _check_total(name, document.value, shards, places)


def _check_shards(source: Source, index: str, shards: Mapping[str, Any]) -> Iterator[str]:
    for shard in sorted({str(shard) for shard in shards.values()}):
        if _beside(index, shard) not in source.files():
            yield f"{index} names {shard[:200]}, which is not in it"


def _check_places(
    index: str, shards: Mapping[str, Any], places: Mapping[tuple[str, str], Tensor]
) -> Iterator[str]:
    for tensor, shard in shards.items():
        file = _beside(index, str(shard))
        if (tensor, file) not in places and any(place == file for _, place in places):
            yield f"{file}: {tensor[:200]} is not in it, as {index} says"


def _check_total(
    index: str,
    told: Mapping[str, Any],
    shards: Mapping[str, Any],
    places: Mapping[tuple[str, str], Tensor],
) -> Iterator[str]:
    total = documents.whole(documents.members(told.get("metadata")).get("total_size"))
    found = [places.get((tensor, _beside(index, str(shard)))) for tensor, shard in shards.items()]
    known = [tensor.bytes for tensor in found if tensor is not None]
    if total is not None and len(known) == len(shards) and sum(known) < total:
        yield f"{index} tells of {total} bytes; its shards hold {sum(known)}"


def _beside(index: str, shard: str) -> str:
    folder = index.rpartition("/")[0]
    return f"{folder}/{shard}" if folder else shard
