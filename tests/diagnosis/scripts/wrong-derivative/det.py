import torch

A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
H = torch.func.jacfwd(torch.func.jacfwd(lambda m: torch.linalg.det(m)))(A)  # <- here
