import torch

w = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():  # <- no-grad
    energy = (w**2).sum()
energy.requires_grad = True  # <- here
energy.backward()
print(w.grad)
