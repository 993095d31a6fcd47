import torch

params = [torch.randn(2, requires_grad=True), torch.zeros(1, requires_grad=True)]
X, y = torch.randn(6, 2), torch.randn(6)


def sgd(params, lr):
    for p in params:
        p.data -= lr * p.grad


for _ in range(3):
    loss = ((X @ params[0] + params[1] - y) ** 2).mean()
    loss.backward()  # <- here
    sgd(params, 0.1)
