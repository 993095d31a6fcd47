import torch

x = torch.tensor([0.2, 1.7], requires_grad=True)
y = torch.round(x * 4)  # <- here
(y**2).sum().backward()
print(x.grad)
