import torch

torch.manual_seed(0)
x, y = torch.rand(6, 2, requires_grad=True), torch.rand(6, 2)
squares = (x**2).sum(1, keepdim=True) + (y**2).sum(1) - 2 * x @ y.T
torch.exp(-squares).mean().backward()
points, centers = torch.rand(5, 1), torch.rand(5, requires_grad=True)
features = torch.exp(-((points - centers) ** 2))
(features @ torch.rand(5)).pow(2).mean().backward()
