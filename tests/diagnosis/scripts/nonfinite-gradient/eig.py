import torch

A = torch.eye(3, requires_grad=True)
vals, vecs = torch.linalg.eigh(A)  # <- here
(vecs[:, 0] * vals).sum().backward()
