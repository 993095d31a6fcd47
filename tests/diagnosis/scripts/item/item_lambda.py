import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
to_num = lambda t: t.item()  # <- here
total = sum(to_num(v) ** 2 for v in x)
y = torch.tensor(total, requires_grad=True)
y.backward()
print(x.grad)
