import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
vals = [v * 2 for v in w.tolist()]  # <- here
y = torch.tensor(vals).sum()
y.backward()
