import torch

x = torch.tensor([[1000.0, 0.0], [3.0, -1000.0]], requires_grad=True)
m = x.max(dim=1, keepdim=True).values.detach()
z = (x - m).exp()
p = z / z.sum(1, keepdim=True)
loss = -(p[:, 0] + 1e-9).log().mean()
loss.backward()
print(x.grad)
