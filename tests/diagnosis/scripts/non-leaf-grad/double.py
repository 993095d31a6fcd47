import torch

theta = torch.tensor([0.5, 1.5], requires_grad=True).double()  # <- here
loss = (theta**2).sum()
loss.backward()
print(theta.grad)
