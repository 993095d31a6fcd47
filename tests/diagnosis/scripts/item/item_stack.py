import torch

params = [torch.tensor(float(i), requires_grad=True) for i in range(3)]
values = []
for p in params:
    values.append((p * 2).item())  # <- here
loss = torch.tensor(values).sum()
loss.backward()
