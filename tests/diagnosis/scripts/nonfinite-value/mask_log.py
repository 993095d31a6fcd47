import torch

p = torch.tensor([0.0, 0.4, 0.6], requires_grad=True)
mask = torch.tensor([0.0, 1.0, 1.0])
loss = -(mask * torch.log(p)).sum()  # <- here
loss.backward()
