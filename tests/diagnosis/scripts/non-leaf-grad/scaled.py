import torch

weights = torch.randn(2, 3, requires_grad=True) * 0.01  # <- here
data = torch.randn(5, 2)
for _ in range(2):
    loss = (data @ weights).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        weights -= 0.1 * weights.grad
