import torch

torch.manual_seed(0)
w = torch.zeros(2, requires_grad=True)
data, target = torch.randn(8, 2), torch.randn(8)


def epoch():
    loss = ((data @ w) - target).pow(2).mean()
    loss.backward()  # <- here
    with torch.no_grad():
        w.sub_(0.1 * w.grad)


for _ in range(3):
    epoch()
