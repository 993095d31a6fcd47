import torch

w = torch.zeros(3, requires_grad=True)
X, y = torch.randn(8, 3), torch.randn(8)
for _ in range(3):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    w -= 0.1 * w.grad  # <- here
    w.grad.zero_()
