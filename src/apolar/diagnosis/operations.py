"""What torch functions do to a gradient, as tables; everything else passes it on."""

from __future__ import annotations

NUMBERS = {
    "item": "item", "__float__": "item", "__int__": "item", "__index__": "item", "__complex__": "item", "tolist": "item",
    "numpy": "numpy", "__array__": "numpy",
}  # fmt: skip
"""Out of a tensor comes a number, a list or an array: the code of the cause."""

DETACHING = {"detach", "data", "detach_"}

COPYING = {"tensor", "as_tensor", "asarray", "Tensor", "scalar_tensor", "from_numpy", "new_tensor"}

CASTING = {"long", "int", "short", "char", "byte", "bool", "to", "type", "type_as"}

WITHOUT_VALUES = {
    "size", "new", "new_empty", "new_zeros", "new_ones", "new_full", "empty_like", "zeros_like", "ones_like", "full_like",
    "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial", "dropout_mask",
}  # fmt: skip
"""What they return does not depend smoothly on the values that they are given, and is not expected to."""

LIKE = {"to", "type_as", "expand_as", "view_as", "reshape_as"}
"""Of the second argument they take only the dtype, the device or the shape."""

IN_PLACE = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__idiv__", "__itruediv__", "__ipow__"}

MEMORY = {"requires_grad_", "retain_grad", "detach_", "share_memory_", "zero_", "set_", "rename_", "resize_"}
"""In-place by name, but they write no values that count."""

ADDITIVE = {
    "add",
    "add_",
    "__iadd__",
    "sub",
    "sub_",
    "__isub__",
    "rsub",
    "__rsub__",
    "sum",
    "mean",
    "stack",
    "cat",
    "neg",
}
"""A constant that is added to the output changes nothing in the gradient, and these keep it so."""

OVERFLOWING = {"exp", "exp2", "expm1", "sinh", "cosh", "pow", "__pow__", "__rpow__", "square"}
"""Infinite only where the true value is too large for the dtype."""

DIFFERENCES = {"sub", "__rsub__", "rsub", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
"""Operations of two tensors that must have the same shape if they are to be compared entry by entry."""

SUBTRACTING = {"sub", "__rsub__", "rsub"}

DIVIDING = {"div", "true_divide", "__rdiv__", "divide"}

MOVING = {
    "to", "cuda", "cpu", "double", "float", "half", "bfloat16", "type", "reshape", "view", "flatten", "unsqueeze",
    "squeeze", "clone", "contiguous", "t", "transpose", "permute", "mul", "div", "__getitem__",
}  # fmt: skip
"""What turns a leaf into another tensor without much of a computation."""

SLICING = {"__getitem__", "narrow", "split", "chunk", "tensor_split"}

JOINING = {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "column_stack", "__setitem__"}

EXPANDING = {"unsqueeze", "__getitem__"}

KINKED = {
    "relu", "leaky_relu", "prelu", "rrelu", "threshold", "hardtanh", "relu6", "clamp", "clamp_min", "clamp_max", "clip", "abs",
    "absolute", "maximum", "minimum", "fmax", "fmin", "max", "min", "amax", "amin", "hardshrink", "softshrink", "l1_loss",
    "where", "sort", "topk", "median", "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "hardsigmoid",
}  # fmt: skip
"""Piecewise linear functions, by their names without underscores around them."""

STRAIGHT = {name.strip("_") for name in ADDITIVE} | {
    "addmm", "addmv", "addbmm", "baddbmm", "addr", "dropout", "alpha_dropout", "feature_dropout", "embedding", "pad", "t", "T",
    "mT", "setitem", "copy", "div", "true_divide", "divide", "itruediv", "mul", "imul", "unbind", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "interpolate", "contiguous", "clone", "to", "double", "float", "type",
}  # fmt: skip
"""Linear in each argument; most of them have records that do not say so, being said in the words of others."""

# ------------------------------------------------------------------------------------ families of nodes of autograd's graph

STEPS = frozenset({"Round", "Sign", "Sgn", "Floor", "Ceil", "Trunc", "FloorDivide", "Fix"})
"""Piecewise constant: the derivative is 0 wherever it exists."""

KINKS = frozenset({
    "Relu", "LeakyRelu", "Threshold", "Hardtanh", "Clamp", "ClampMin", "ClampMax", "Abs", "Maximum", "Minimum", "Max",
    "Min", "Amax", "Amin", "MaxPool2DWithIndices", "MaxPool3DWithIndices", "PreluKernel", "RreluWithNoise",
    "Hardshrink", "Softshrink", "L1Loss", "Where", "Sort", "Topk", "Fmax", "Fmin",
})  # fmt: skip
"""Piecewise linear: the second derivative is 0 wherever it exists."""

FLAT = KINKS | {
    "Sigmoid", "LogSigmoid", "Hardsigmoid", "Hardswish", "Tanh", "Softmax", "LogSoftmax", "Erf", "Erfc", "Elu", "Gelu", "Silu",
    "Softplus", "Exp", "MaskedFill", "NanToNum",
}  # fmt: skip
"""Flat somewhere, or so nearly flat that the derivative is 0 in floating point."""

LINEAR = frozenset({
    "Add", "Sub", "Rsub", "Neg", "Sum", "Mean", "View", "UnsafeView", "Reshape", "ReshapeAlias", "T", "Transpose",
    "Permute", "Expand", "Select", "Slice", "Index", "Stack", "Cat", "Split", "SplitWithSizes", "Unbind", "Unsqueeze",
    "Squeeze", "Clone", "Alias", "AccumulateGrad", "ToCopy", "AsStrided", "Repeat", "Roll", "Flip", "Cumsum",
    "ConstantPadNd", "Copy", "CopySlices", "Chunk", "Narrow", "Trace", "Diagonal", "Gather", "IndexSelect", "AvgPool2D",
    "Dropout", "NativeDropout",
})  # fmt: skip

PRODUCTS = frozenset(
    {"Mul", "Div", "Mm", "Bmm", "Addmm", "Mv", "Dot", "Convolution", "Matmul", "Baddbmm", "Addmv", "Linear"}
)
"""Linear as long as only one factor depends on the input."""
