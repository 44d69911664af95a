"""Constructor arguments of every module of torch.nn, several for those that have kinds."""

from __future__ import annotations

from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def of(*args: Any, **kwargs: Any) -> Arguments:
    return args, kwargs


NONE = [of()]
INPLACE = [of(), of(inplace=True)]
POOL = [of(2), of(3, 2, 1), of(kernel_size=3, stride=1, ceil_mode=True)]
NORM = [
    of(4),
    of(4, 1e-3, 0.3),
    of(4, affine=False),
    of(4, momentum=None, track_running_stats=False),
    of(4, bias=False),
]
LAZY_NORM = [of(), of(1e-3), of(affine=False), of(track_running_stats=False), of(bias=False)]
RECURRENT = [
    of(3, 4), of(3, 4, 2), of(3, 4, num_layers=2, dropout=0.5, bidirectional=True), of(3, 4, bias=False),
    of(3, 4, batch_first=True),
]  # fmt: skip
REDUCED = [of(), of(reduction="sum")]


def _conv(rank: int) -> list[Arguments]:
    return [
        of(4, 6, 3), of(4, 6, (3,) * rank, 2, 1), of(4, 6, 3, padding=1, groups=2, bias=False),
        of(4, 4, 3, dilation=2, groups=4, padding=2, padding_mode="circular"), of(4, 6, 3, padding="same"),
        of(4, 6, 3, padding="valid", padding_mode="reflect"),
    ]  # fmt: skip


def _transposed(rank: int) -> list[Arguments]:
    return [
        of(4, 6, 3),
        of(4, 6, 3, 2, 1, 1),
        of(4, 6, (3,) * rank, groups=2, bias=False),
        of(4, 6, 3, dilation=2),
    ]


def _without_first(arguments: list[Arguments]) -> list[Arguments]:
    return [(args[1:], kwargs) for args, kwargs in arguments]


def _padding(rank: int) -> list[Arguments]:
    return [of(1), of(tuple(range(1, 2 * rank + 1)))]


MODULES: dict[str, list[Arguments]] = {
    "AdaptiveAvgPool1d": [of(3)], "AdaptiveAvgPool2d": [of(3), of((None, 2))], "AdaptiveAvgPool3d": [of((1, 2, 3))],
    "AdaptiveMaxPool1d": [of(3)], "AdaptiveMaxPool2d": [of(3, True)], "AdaptiveMaxPool3d": [of((1, 2, 3))],
    "AdaptiveLogSoftmaxWithLoss": [of(8, 20, [4, 10]), of(8, 20, [4, 10], div_value=2.0, head_bias=True)],
    "AlphaDropout": [of(), of(0.2, True)],
    "AvgPool1d": POOL, "AvgPool2d": [*POOL, of(2, divisor_override=3)], "AvgPool3d": POOL,
    "BCELoss": REDUCED, "BCEWithLogitsLoss": REDUCED,
    "BatchNorm1d": NORM, "BatchNorm2d": NORM, "BatchNorm3d": NORM, "SyncBatchNorm": NORM,
    "LazyBatchNorm1d": LAZY_NORM, "LazyBatchNorm2d": LAZY_NORM, "LazyBatchNorm3d": LAZY_NORM,
    "Bilinear": [of(2, 3, 4), of(2, 3, 4, bias=False)],
    "CELU": [*INPLACE, of(2.0)], "CTCLoss": [of(), of(1, "sum", True)], "ChannelShuffle": [of(2)],
    "CircularPad1d": _padding(1), "CircularPad2d": _padding(2), "CircularPad3d": _padding(3),
    "ConstantPad1d": [of(1, 2.5)], "ConstantPad2d": [of(1, 2.5), of((1, 2, 3, 4), 0)], "ConstantPad3d": [of(1, 2.5)],
    "Conv1d": _conv(1), "Conv2d": _conv(2), "Conv3d": _conv(3),
    "ConvTranspose1d": _transposed(1), "ConvTranspose2d": _transposed(2), "ConvTranspose3d": _transposed(3),
    "LazyConv1d": _without_first(_conv(1)), "LazyConv2d": _without_first(_conv(2)),
    "LazyConv3d": _without_first(_conv(3)), "LazyConvTranspose1d": _without_first(_transposed(1)),
    "LazyConvTranspose2d": _without_first(_transposed(2)), "LazyConvTranspose3d": _without_first(_transposed(3)),
    "CosineEmbeddingLoss": [of(), of(0.5)], "CosineSimilarity": [of(), of(0, 1e-3)],
    "CrossEntropyLoss": [of(), of(ignore_index=1, label_smoothing=0.1)], "CrossMapLRN2d": [of(3)],
    "Dropout": [of(), of(0.2, True)], "Dropout1d": NONE, "Dropout2d": NONE, "Dropout3d": NONE,
    "ELU": [*INPLACE, of(2.0)],
    "Embedding": [of(5, 3), of(5, 3, padding_idx=-1, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)],
    "EmbeddingBag": [of(5, 3), of(5, 3, mode="sum", padding_idx=2, max_norm=2.0, include_last_offset=True)],
    "FeatureAlphaDropout": NONE, "Flatten": [of(), of(0, 2)],
    "Fold": [of((4, 5), 2), of((4, 5), (2, 3), dilation=2, padding=1, stride=2)],
    "FractionalMaxPool2d": [of(2, output_size=3), of(3, output_ratio=(0.5, 0.6))],
    "FractionalMaxPool3d": [of(2, output_size=3), of(3, output_ratio=0.5)],
    "GELU": [of(), of("tanh")], "GLU": [of(), of(1)],
    "GRU": RECURRENT, "GRUCell": [of(3, 4), of(3, 4, False)],
    "GaussianNLLLoss": [of(), of(full=True)], "GroupNorm": [of(2, 4), of(2, 4, 1e-3, False), of(2, 4, bias=False)],
    "Hardshrink": [of(), of(1)], "Hardsigmoid": INPLACE, "Hardswish": INPLACE,
    "Hardtanh": [of(), of(-2, 2, True)], "HingeEmbeddingLoss": [of(), of(2.0)], "HuberLoss": [of(), of(delta=2.0)],
    "Identity": [of(), of(3, something=4)],
    "InstanceNorm1d": NORM, "InstanceNorm2d": NORM, "InstanceNorm3d": [*NORM, of(4, affine=True)],
    "LazyInstanceNorm1d": LAZY_NORM, "LazyInstanceNorm2d": LAZY_NORM, "LazyInstanceNorm3d": LAZY_NORM,
    "KLDivLoss": [of(), of(reduction="batchmean", log_target=True)], "L1Loss": REDUCED,
    "LPPool1d": [of(2, 3)], "LPPool2d": [of(1.5, 3, 2, True)], "LPPool3d": [of(2, 3)],
    "LSTM": [*RECURRENT, of(3, 4, proj_size=2, bidirectional=True)], "LSTMCell": [of(3, 4), of(3, 4, False)],
    "LayerNorm": [of(4), of((2, 3), 1e-3), of([4], bias=False), of(4, elementwise_affine=False)],
    "LazyLinear": [of(4), of(4, False)], "LeakyReLU": [of(), of(0.2, True)],
    "Linear": [of(3, 4), of(3, 4, bias=False), of(3, 4, dtype="float64")],
    "LinearCrossEntropyLoss": [of(3, 4), of(3, 4, bias=True, reduction="sum", label_smoothing=0.1)],
    "LinearCrossEntropyOptions": [of(allow_retain_graph=True)],
    "LocalResponseNorm": [of(3), of(3, 1e-3, 0.5, 2.0)], "LogSigmoid": NONE, "LogSoftmax": [of(), of(1)],
    "MSELoss": [*REDUCED, of(size_average=False), of(reduce=False)], "MarginRankingLoss": [of(), of(0.5)],
    "MaxPool1d": POOL, "MaxPool2d": POOL, "MaxPool3d": [*POOL, of(2, return_indices=True)],
    "MaxUnpool1d": [of(2)], "MaxUnpool2d": [of(2, 3, 1)], "MaxUnpool3d": [of((1, 2, 3))],
    "Mish": INPLACE, "Module": NONE, "ModuleDict": NONE, "ModuleList": NONE,
    "MultiLabelMarginLoss": REDUCED, "MultiLabelSoftMarginLoss": REDUCED, "MultiMarginLoss": [of(), of(2, 0.5)],
    "MultiheadAttention": [
        of(4, 2), of(4, 2, 0.1, bias=False), of(4, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True),
    ],
    "NLLLoss": REDUCED, "NLLLoss2d": NONE, "PReLU": [of(), of(3, 0.1)],
    "PairwiseDistance": [of(), of(1.0, keepdim=True)],
    "ParameterDict": NONE, "ParameterList": NONE, "PixelShuffle": [of(2)], "PixelUnshuffle": [of(2)],
    "PoissonNLLLoss": [of(), of(False, True)],
    "RMSNorm": [of(4), of((2, 3), 1e-3), of(4, elementwise_affine=False)],
    "RNN": [*RECURRENT, of(3, 4, 1, "relu"), of(3, 4, nonlinearity="relu")],
    "RNNBase": [of("LSTM", 3, 4)], "RNNCell": [of(3, 4), of(3, 4, False, "relu")],
    "RNNCellBase": [of(3, 4, True, 2)], "RReLU": [of(), of(0.1, 0.2, True)],
    "ReLU": INPLACE, "ReLU6": INPLACE,
    "ReflectionPad1d": _padding(1), "ReflectionPad2d": _padding(2), "ReflectionPad3d": _padding(3),
    "ReplicationPad1d": _padding(1), "ReplicationPad2d": _padding(2), "ReplicationPad3d": _padding(3),
    "SELU": INPLACE, "Sequential": NONE, "SiLU": INPLACE, "Sigmoid": NONE, "SmoothL1Loss": [of(), of(beta=2.0)],
    "SoftMarginLoss": REDUCED, "Softmax": [of(), of(1)], "Softmax2d": NONE, "Softmin": [of(), of(1)],
    "Softplus": [of(), of(2, 10)], "Softshrink": [of(), of(1)], "Softsign": NONE, "Tanh": NONE, "Tanhshrink": NONE,
    "Threshold": [of(0.1, 20), of(0.1, 20, True)],
    "Transformer": [of(4, 2, 1, 1, 8), of(4, 2, 2, 1, 8, bias=False, norm_first=True, batch_first=True)],
    "TransformerDecoderLayer": [of(4, 2, 8), of(4, 2, 8, activation="gelu", bias=False)],
    "TransformerEncoderLayer": [of(4, 2, 8), of(4, 2, 8, activation="gelu", norm_first=True)],
    "TripletMarginLoss": [of(), of(2.0, 1.0)], "TripletMarginWithDistanceLoss": [of(), of(margin=2.0)],
    "Unflatten": [of(1, (2, 3))], "Unfold": [of(2), of((2, 3), padding=1)],
    "Upsample": [of(scale_factor=2), of((4, 5), mode="bilinear"), of(scale_factor=(2, 3), align_corners=True)],
    "UpsamplingBilinear2d": [of(scale_factor=2)], "UpsamplingNearest2d": [of(3)],
    "ZeroPad1d": _padding(1), "ZeroPad2d": _padding(2), "ZeroPad3d": _padding(3),
}  # fmt: skip
