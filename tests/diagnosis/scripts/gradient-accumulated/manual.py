import torch

w = torch.tensor(3.0, requires_grad=True)
lr = 0.1
for i in range(4):
    loss = (w - 1) ** 2
    loss.backward()  # <- here
    with torch.no_grad():
        w -= lr * w.grad
