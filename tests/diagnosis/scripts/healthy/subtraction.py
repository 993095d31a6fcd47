import torch
from torch import nn

torch.manual_seed(0)
w = torch.tensor([1.0, 2.0], requires_grad=True)
target = torch.tensor([1.0, 2.0])
((w + 1e-7 - target) / 0.5).pow(2).sum().backward()
x = torch.randn(50, requires_grad=True)
((x - x.mean()) / (x.std() + 1e-6)).pow(3).mean().backward()
(x - x.max()).exp().sum().log().backward()
nn.functional.mse_loss(x, x.detach() + 1e-6).backward()
