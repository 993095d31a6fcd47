import torch

A = torch.eye(3, requires_grad=True)
values, vectors = torch.linalg.eigh(A)  # <- here
(values.sum() + vectors[0, 0] * vectors[1, 1] ** 3 * 2 + vectors.pow(3).sum()).backward()
