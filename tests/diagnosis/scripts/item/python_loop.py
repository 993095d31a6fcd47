import torch

theta = torch.tensor(0.3, requires_grad=True)


def simulate(theta, n=5):
    pos = 0.0
    vel = float(theta)  # <- here
    for _ in range(n):
        vel = vel - 0.1 * pos
        pos = pos + 0.1 * vel
    return torch.tensor(pos, requires_grad=True)


loss = simulate(theta) ** 2
loss.backward()
print(theta.grad)
