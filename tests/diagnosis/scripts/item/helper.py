import torch

numbers = {}


def as_number(t):
    return t.item()  # <- here


w = torch.tensor(2.0, requires_grad=True)
scale = as_number(w * 3)
numbers["scale"] = scale
y = torch.tensor(numbers["scale"] ** 2 + 1)
y.backward()
