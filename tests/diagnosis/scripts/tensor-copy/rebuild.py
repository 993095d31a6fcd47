import torch

theta = torch.tensor(0.5, requires_grad=True)
x = torch.tensor(1.0)
for t in range(5):
    x = torch.tensor(x + 0.1 * torch.sin(theta * x))  # <- here
loss = (x - 2) ** 2
loss.backward()
