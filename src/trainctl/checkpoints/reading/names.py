"""The names that data in a pickle may import, by module."""

from __future__ import annotations

_STORAGES = """
    DoubleStorage FloatStorage HalfStorage LongStorage IntStorage ShortStorage CharStorage
    ByteStorage BoolStorage BFloat16Storage ComplexDoubleStorage ComplexFloatStorage
"""
_TENSORS = """
    Tensor DoubleTensor FloatTensor HalfTensor LongTensor IntTensor ShortTensor CharTensor
    ByteTensor BoolTensor BFloat16Tensor
"""
_DTYPES = """
    float64 float32 float16 bfloat16 float8_e5m2 float8_e4m3fn float8_e5m2fnuz float8_e4m3fnuz
    float8_e8m0fnu float4_e2m1fn_x2 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool
    complex128 complex64 complex32 qint8 qint32 quint8 quint4x2 quint2x4
    bits8 bits16 bits1x8 bits2x4 bits4x2
"""
_TYPES = f"""
    {_STORAGES} QInt8Storage QInt32Storage QUInt8Storage QUInt4x2Storage QUInt2x4Storage
    {_TENSORS} {_DTYPES} per_tensor_affine per_tensor_symmetric per_channel_affine
    per_channel_symmetric per_channel_affine_float_qparams
"""
_REBUILDERS = """
    _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter
    _rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor _rebuild_nested_tensor
    _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor _rebuild_xla_tensor
    _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass
"""
_CONTAINERS = "set frozenset list dict tuple slice complex bytes bytearray object"
_FACTORIES = "int float str bool"
_NUMPY = """
    ndarray bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64
    longdouble complex64 complex128 str_ bytes_ object_ datetime64 timedelta64
"""
_PATHS = "PosixPath PurePosixPath WindowsPath PureWindowsPath Path"


def _sets(names: dict[str, str]) -> dict[str, frozenset[str]]:
    return {module: frozenset(text.split()) for module, text in names.items()}


REBUILDERS = frozenset(_REBUILDERS.split())

DATA = _sets(
    {
        "torch": f"{_TYPES} Size device strided sparse_coo sparse_csr sparse_csc sparse_bsr",
        "torch.cuda": f"{_STORAGES} {_TENSORS}",
        "torch.storage": "UntypedStorage TypedStorage",
        "torch._tensor": "_rebuild_from_type_v2 Tensor",
        "torch._utils": _REBUILDERS,
        "torch.nn.parameter": "Parameter Buffer",
        "torch.serialization": "_get_layout",
        "torch.distributed.checkpoint.metadata": """
            Metadata TensorStorageMetadata BytesStorageMetadata ChunkStorageMetadata MetadataIndex
            TensorProperties StorageMeta _MEM_FORMAT_ENCODING
        """,
        "torch.distributed.checkpoint.filesystem": "_StorageInfo _StoragePrefix",
        "torch.distributed.tensor": "DTensor",
        "torch.distributed.tensor.placement_types": "Shard Replicate Partial",
        "torch.distributed.tensor._dtensor_spec": "DTensorSpec TensorMeta ShardOrderEntry",
        "torch.distributed.device_mesh": "DeviceMesh",
        "torch.distributed._mesh_layout": "_MeshLayout _FlatLayout",
        "transformers.training_args": "TrainingArguments OptimizerNames",
        "transformers.training_args_seq2seq": "Seq2SeqTrainingArguments",
        "transformers.trainer_utils": """
            SchedulerType IntervalStrategy SaveStrategy HubStrategy EvaluationStrategy FSDPOption
        """,
        "transformers.trainer_pt_utils": "AcceleratorConfig",
        "accelerate.state": "PartialState",
        "accelerate.utils.dataclasses": "DistributedType",
        "collections": "OrderedDict defaultdict Counter deque",
        "builtins": f"{_CONTAINERS} {_FACTORIES}",
        "__builtin__": f"{_CONTAINERS} {_FACTORIES} unicode long",
        "_codecs": "encode",
        "copyreg": "_reconstructor",
        "copy_reg": "_reconstructor",
        "argparse": "Namespace",
        "types": "SimpleNamespace",
        "pathlib": _PATHS,
        "pathlib._local": _PATHS,
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
        "numpy": f"{_NUMPY} dtype",
        "numpy.dtypes": "Float64DType Float32DType Int64DType Int32DType BoolDType UInt32DType",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy._core.multiarray": "_reconstruct scalar",
    }
)

# They stand for a type; called, some would allocate whatever the file asks for.
NEVER_CALLED = _sets(
    {
        "torch": _TYPES,
        "torch.cuda": f"{_STORAGES} {_TENSORS}",
        "torch.storage": "UntypedStorage TypedStorage",
        "builtins": _FACTORIES,
        "__builtin__": f"{_FACTORIES} unicode long",
        "numpy": _NUMPY,
    }
)
