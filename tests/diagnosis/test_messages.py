"""Messages of PyTorch, of this version and of others, lead to their code."""

from __future__ import annotations

import pytest

from apolar.diagnosis.messages import code_of

MESSAGES = {
    "Trying to backward through the graph a second time, but the buffers have already been freed.": "graph-freed",
    "element 0 of tensors does not require grad and does not have a grad_fn": "nothing-requires-grad",
    "One of the differentiated Tensors does not require grad": "nothing-requires-grad",
    "grad can be implicitly created only for scalar outputs": "non-scalar-output",
    "grad can be implicitly created only for scalar outputs but got torch.Size([3])": "non-scalar-output",
    "One of the differentiated Tensors appears to not have been used in the graph.": "input-unused",
    "The differentiated Tensor at index 0 appears to not have been used in the graph.": "input-unused",
    "a leaf Variable that requires grad has been used in an in-place operation.": "leaf-in-place",
    "a leaf Variable that requires grad is being used in an in-place operation.": "leaf-in-place",
    "a view of a leaf Variable that requires grad is being used in an in-place operation.": "leaf-in-place",
    "one of the variables needed for gradient computation has been modified by an inplace operation": "saved-in-place",
    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.": "numpy",
    "Only Tensors of floating point and complex dtype can require gradients": "integer-dtype",
    "Inference tensors cannot be saved for backward.": "no-grad",
    "the derivative for '_cudnn_rnn_backward' is not implemented.": "derivative-missing",
    "derivative for aten::_scaled_dot_product_flash_attention_backward is not implemented": "derivative-missing",
    "can't optimize a non-leaf Tensor": "non-leaf-grad",
    "mat1 and mat2 shapes cannot be multiplied (4x2 and 3x1)": None,
    "CUDA out of memory.": None,
}


@pytest.mark.parametrize("message", MESSAGES)
def test_code(message):
    assert code_of(RuntimeError(message)) == MESSAGES[message]
