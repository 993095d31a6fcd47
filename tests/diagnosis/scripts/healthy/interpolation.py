import torch

table = torch.rand(10)
x = torch.tensor([1.3, 4.7], requires_grad=True)
i = x.floor().long()
t = x - i
y = table[i] * (1 - t) + table[i + 1] * t
y.sum().backward()
print(x.grad)
