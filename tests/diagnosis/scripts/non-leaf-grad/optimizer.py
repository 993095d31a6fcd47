import torch

start = torch.zeros(4, requires_grad=True)
x = start.reshape(2, 2)  # <- here
optimizer = torch.optim.SGD([x], lr=0.1)
