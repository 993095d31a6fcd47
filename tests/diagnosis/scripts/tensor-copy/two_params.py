import torch

a = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
R = torch.tensor([[torch.cos(a), -torch.sin(a)], [torch.sin(a), torch.cos(a)]])  # <- here
v = R @ torch.tensor([1.0, 0.0])
loss = v.sum() * b
loss.backward()
print(a.grad)
