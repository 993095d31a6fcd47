import torch

w = torch.tensor([0.0, 1.0], requires_grad=True)
loss = (w.int() * 3.0).sum()  # <- here
loss.backward()
