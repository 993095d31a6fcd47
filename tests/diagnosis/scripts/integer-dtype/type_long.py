import torch

w = torch.tensor([0.2, 1.7], requires_grad=True)
q = w.type(torch.LongTensor)  # <- here
loss = (q - 1).float().pow(2).sum()
loss.backward()
