import torch


def minimise(f, x0, lr=0.1, steps=5, tol=1e-8):
    x = x0.clone().requires_grad_(True)
    prev = None
    for _ in range(steps):
        y = f(x)
        y.backward()
        with torch.no_grad():
            x -= lr * x.grad
        x.grad = None
        if prev is not None and abs(prev - y.item()) < tol:
            break
        prev = y.item()
    return x.detach()


print(minimise(lambda x: (x**2).sum(), torch.tensor([1.0, -2.0])))
rosen = lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
print(minimise(rosen, torch.tensor([0.5, 0.5]), lr=1e-3))
