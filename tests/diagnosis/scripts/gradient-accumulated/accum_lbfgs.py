import torch

x = torch.tensor([-1.0, 2.0], requires_grad=True)
opt = torch.optim.LBFGS([x], max_iter=4)


def closure():
    loss = ((x - 1) ** 2).sum() + (x**4).sum()
    loss.backward()  # <- here
    return loss


opt.step(closure)
