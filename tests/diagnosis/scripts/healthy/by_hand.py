import torch

torch.manual_seed(0)
w, b = torch.randn(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
x, y = torch.randn(10, 3), torch.randn(10, 1)
for _ in range(5):
    loss = ((x @ w + b) - y).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad = None
v = torch.randn(3, 1, requires_grad=True)
for _ in range(5):
    loss = ((x @ v) - y).pow(2).mean()
    if v.grad is not None:
        v.grad.zero_()
    loss.backward()
    v.data -= 0.1 * v.grad
    print(v.grad.norm())
u = torch.randn(3, 1, requires_grad=True)
for _ in range(5):
    g = torch.autograd.grad(((x @ u) - y).pow(2).mean(), u)[0]
    u = (u - 0.1 * g).detach().requires_grad_()
