import torch

x = torch.tensor([0.0, 1.0], requires_grad=True)
y = (x**0.5).sum()  # <- here
y.backward(create_graph=True)
g = x.grad
z = (2 * g).sin().sum() + g.pow(2).sum()
z.backward()
